// What a registry knows of files: those that were only looked at, and those that were opened.
#pragma once

#include <limen/plugin_registry.hpp>

#include <compare>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "plugin/surroundings.hpp"

namespace limen {

// Tells a file from what may lie in its place later.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified = 0, changed = 0;  // ns
  bool operator==(const FileStamp&) const = default;
};

struct CataloguedFile {
  PluginFile is;
  FileStamp stamp{};
  std::string build_id{};
};

// A look at a file as data. Throws Error E0501 .. E0512, and E0522 (others may write into it)
// unless the user named it.
CataloguedFile examine_file(const std::string& file, bool own, bool named,
                            Surroundings& surroundings);
// Of the file that lies there now; all zeros if there is none.
FileStamp stamp_of(const std::string& file);
// Whether two files hold the same bytes.
bool same_content(const CataloguedFile& a, const CataloguedFile& b);
// What is wrong with the rights of a folder or file, or nothing: "is writable by others".
std::string untrusted(const std::string& path);

// Maps the file, or a copy, runs its entry point and checks what comes of it. Throws Error E0501 ..
// E0521.
std::shared_ptr<const LoadedPlugin> open_plugin(const CataloguedFile& file,
                                                const std::string& sha256, bool copy,
                                                int generation = 1);

// Throws Error E0521 where a hash is wanted and the plugin's content, or its file's, has another.
void check_hash(const LoadedPlugin& plugin, const std::string& sha256);

std::string read_library(const std::string& file);  // throws Error E0501, E0502
std::filesystem::path own_folder();                 // limen's own; empty if there is none

struct Catalogue {
  std::vector<CataloguedFile> files;
  std::vector<SearchedDirectory> searched;
  std::vector<Diagnostic> problems;
  std::optional<Surroundings> surroundings;
  std::map<std::string, bool> own_folders;  // folders seen: whether they are limen's own
  bool copies = false;                      // of limen's own files, too
  std::mutex mutex;  // around everything that const functions of the registry change

  // Examines and adds a file, or finds it known already: by its place, or another with its content.
  struct Added {
    std::size_t index = 0;
    bool known = false;
  };
  Added add(const std::string& file, bool named);
  // Opens a file that was not opened yet. Throws; then it counts as failed.
  const std::shared_ptr<const LoadedPlugin>& open(CataloguedFile& file, const std::string& sha256);
  // The same, with errors remembered. Null where it fails or failed before.
  std::shared_ptr<const LoadedPlugin> try_open(CataloguedFile& file);
  void open_all();
  bool is_own(const std::string& folder);
  void remember(const Error& error);

  static Activation activation(std::shared_ptr<const LoadedPlugin> plugin, const limen_op* op) {
    return Activation(std::move(plugin), op);
  }
};

struct PluginRegistry::State : Catalogue {};

std::vector<std::string> names_of(const limen_op& op);  // its name, then its aliases

}  // namespace limen
