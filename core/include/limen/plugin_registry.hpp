// Activation functions found in shared libraries: loading them and using what they offer.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <limen/plugin.h>
#include <limen/error.hpp>

namespace limen {

struct LoadedPlugin;

// What took the place of a plugin whose file was loaded again; empty at first.
class Successor {
 public:
  Successor() = default;
  Successor(Successor&&) noexcept {}
  std::shared_ptr<const LoadedPlugin> get() const { return next_.load(); }
  void set(std::shared_ptr<const LoadedPlugin> next) const { next_.store(std::move(next)); }

 private:
  mutable std::atomic<std::shared_ptr<const LoadedPlugin>> next_;
};

// A plugin in memory. Libraries are never unmapped, so the descriptor outlives every registry.
struct LoadedPlugin {
  const limen_plugin* descriptor = nullptr;
  std::string file;      // absolute path
  bool shipped = false;  // part of limen: its ops own their bare names
  std::string sha256{};  // of the bytes that were loaded; empty for files of limen's own folder
  int generation = 1;    // counts the loads of one file
  Successor successor{};

  std::string_view name() const { return descriptor->name; }  // "org.limen.relu"
  std::string_view version() const { return descriptor->version; }
};

// A hyperparameter as its plugin declares it; views stay valid until the process ends.
struct ParamInfo {
  std::string_view name, doc;
  std::uint32_t type = LIMEN_P_REAL, flags = 0;  // LIMEN_P_*, LIMEN_PF_*
  double def = 0, min = 0, max = 0;
  std::vector<std::string_view> choices;  // of LIMEN_P_CHOICE; the value is the index
  std::string range;                      // "[0, 1]", "an integer in [1, 8]", "one of none, tanh"
};

// One op of a plugin with its parameters resolved: a value that stays usable when the registry is
// gone. Cheap to copy. All functions may be called from any thread.
class Activation {
 public:
  std::string_view name() const { return op_->name; }
  const limen_op& op() const { return *op_; }
  const LoadedPlugin& plugin() const { return *plugin_; }
  bool rows() const { return op_->kind == LIMEN_ROWS; }
  std::span<const double> hyper() const { return hyper_; }  // what limen_tile.hyper points at
  int axis() const { return axis_; }                        // of row functions; may be negative
  std::vector<std::string_view> aliases() const;
  std::vector<ParamInfo> params() const;

  // The same op with these parameters; the others keep their values. Throws Error E0202 for a name
  // the op has no parameter for, E0208 outside the range or against the op's own check, E0203 where
  // a required one is missing.
  Activation with(const std::map<std::string, double>& values) const;
  Activation along(int axis) const;
  // The same op of the newest generation of its plugin, with the same parameters.
  Activation latest() const;
  // The number that stands for a choice of a LIMEN_P_CHOICE parameter. Throws Error E0202, E0208.
  double choice(std::string_view param, std::string_view text) const;

  // The kernel of the table with this role (LIMEN_FORWARD ...), element type (LIMEN_F32, LIMEN_F64)
  // and variant that runs at level `isa` and reads nothing outside `may_read` (LIMEN_X | LIMEN_Y |
  // LIMEN_STATE): the highest level, then the first in the plugin's table. nullptr if there is
  // none.
  const limen_kernel* kernel(std::uint32_t role, std::uint32_t dtype, std::uint32_t isa,
                             std::uint32_t may_read = LIMEN_X | LIMEN_Y,
                             std::uint32_t variant = 0) const noexcept;

  // "leaky_relu{alpha=0.01}@org.limen.leaky_relu/1.0.0": equal texts compute equal values.
  std::string identity() const;

 private:
  friend struct Catalogue;
  Activation(std::shared_ptr<const LoadedPlugin> plugin, const limen_op* op);

  std::shared_ptr<const LoadedPlugin> plugin_;
  const limen_op* op_;
  std::vector<double> hyper_;  // NaN: a required parameter that nobody gave yet
  int axis_ = -1;
};

// A directory that was searched, for `limen plugin path` and error messages.
struct SearchedDirectory {
  std::string path;
  std::string origin;  // "--plugin", "LIMEN_PLUGIN_PATH", ...
  bool exists = false;
  int plugins = 0;  // files that offer ops
  struct Skipped {
    std::string file, reason;  // its name, "E0502: not an ELF file ..."
  };
  std::vector<Skipped> skipped{};  // the others, by name
};

// A file that offers ops, opened or not.
struct PluginFile {
  std::string file{};
  bool own = false;                              // of limen's own folder
  std::vector<std::vector<std::string>> ops{};   // each its name, then its aliases
  std::shared_ptr<const LoadedPlugin> plugin{};  // null: nothing has asked for it yet
  bool failed = false;                           // opened without success, see problems()
};

// The plugins of one engine: an ordinary object, several may live in a process. A directory is
// catalogued from what its files say about themselves; a library is opened, and its code run, when
// one of its ops is asked for. Files outside of limen's own folder are copied, and run in a child
// process before they are first run here; one that crashes there is refused from then on (E0519).
// Loading is for one thread at a time; the const functions may be called from many.
class PluginRegistry {
 public:
  PluginRegistry();
  ~PluginRegistry();
  PluginRegistry(PluginRegistry&&) noexcept;
  PluginRegistry& operator=(PluginRegistry&&) noexcept;

  // Maps a library, checks it and registers its ops. The same file again (by inode or content) is
  // no error. Throws Error E0501..E0522 that names the file, the cause and the remedy; nothing is
  // registered then. A plugin whose name another file has taken already is such an error (E0516).
  // With `sha256` the content must have this hash (E0521).
  std::shared_ptr<const LoadedPlugin> load(const std::filesystem::path& library,
                                           const std::string& sha256 = "");

  // From now on files of limen's own folder are copied before they are mapped, as others are: so
  // that they may be changed while their code runs.
  void keep_copies();
  // Loads the file of a plugin again, which was changed since. The plugin becomes its successor:
  // find() gives its ops, Activation::latest() leads to them, and what was compiled goes on with
  // the old code. Throws Error as load(), and E0511 where names, kinds or parameters of the ops
  // have changed; the old one then stays.
  std::shared_ptr<const LoadedPlugin> reload(const std::string& file);

  // Catalogues every regular file "*.so" whose name does not start with a dot, in the order of
  // names. Files that are no plugins are remembered in problems(); a missing directory is
  // remembered too. One that others may write into is refused, as are such files (E0522). A file
  // without notes of its ops is opened at once.
  void load_directory(const std::filesystem::path& directory, std::string origin = "directory");

  // A file or a directory that the user named; throws Error if it is neither, or load() does.
  void load_path(const std::filesystem::path& path, std::string origin = "--plugin");

  // LIMEN_PLUGIN_PATH (colon-separated; files or directories), $XDG_DATA_HOME/limen/plugins, and
  // lib/limen/plugins of the prefix that holds the running program's bin folder, in this order.
  // A user's own paths are to be loaded before. Throws nothing but std::bad_alloc.
  void load_default();

  // By name or alias ("relu", "swish") or with the plugin in front ("org.limen.relu:relu"). The
  // result has default parameters. A bare name means limen's own op if there is one, else the only
  // plugin's that offers it. Throws Error E0518 (unknown, with the nearest name and the files that
  // could not be loaded) or E0516 (several offer it).
  Activation find(std::string_view name) const;

  // The qualified names of ops that find(name) passes over because limen has one of that name.
  std::vector<std::string> hidden(std::string_view name) const;

  std::vector<Activation> activations() const;  // every op, by name then plugin; opens all files
  // Every plugin in the order found; opens all files.
  std::vector<std::shared_ptr<const LoadedPlugin>> plugins() const;
  std::vector<PluginFile> files() const;  // the catalogue, in the order found; opens nothing
  const std::vector<SearchedDirectory>& searched() const;
  // Files that could not be loaded (errors) and ops that are hidden behind others (warnings).
  std::vector<Diagnostic> problems() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Forgets that the content of this file crashed when it was probed: the next load tries again.
// Throws Error E0501, E0502 where there is no file.
void forget_probe(const std::filesystem::path& library);

}  // namespace limen
