#include "plugin/descriptor.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <set>
#include <string_view>

#include "plugin/fault.hpp"
#include "plugin/image.hpp"
#include "plugin/param_range.hpp"

namespace limen {
namespace {

// Far above any real plugin; they keep a wrong count from costing minutes.
constexpr std::uint32_t kMostOps = 4096, kMostParams = 256, kMostKernels = 4096, kMostPieces = 64;
constexpr std::uint32_t kMostExtensions = 64, kMostPoints = 1u << 20;

// [a-z][a-z0-9_]* with dots between such words
bool is_name(std::string_view name) {
  bool start = true;
  for (const char c : name) {
    const bool letter = c >= 'a' && c <= 'z', digit = (c >= '0' && c <= '9') || c == '_';
    if (c == '.' ? start : !(letter || (digit && !start))) return false;
    start = c == '.';
  }
  return !name.empty() && !start;
}

// Checks one descriptor; `where_` says in messages what is being looked at.
class Checker {
 public:
  Checker(const limen_plugin* plugin, const std::string& file)
      : plugin_(plugin), image_(plugin), file_(file) {}

  void check() {
    if (!image_.holds(plugin_, sizeof(limen_plugin)) || plugin_->size < sizeof(limen_plugin)) {
      broken("it is not a limen_plugin of this library");
    }
    check_version();
    name(plugin_->name, "the plugin's name");
    text(plugin_->version, "the plugin's version");
    optional_texts({plugin_->author, plugin_->license, plugin_->url, plugin_->build});
    extensions(plugin_->ext);
    count(plugin_->n_ops, kMostOps, "ops");
    if (plugin_->n_ops == 0) broken("it offers no op");
    memory(plugin_->ops, plugin_->n_ops * sizeof(void*), "the list of ops");
    for (std::uint32_t i = 0; i < plugin_->n_ops; ++i) op(plugin_->ops[i], i);
  }

 private:
  [[noreturn]] void fail(const char* code, const std::string& message,
                         std::vector<std::string> help = {}) const {
    throw plugin_fault(code, file_, where_.empty() ? message : where_ + ": " + message,
                       std::move(help));
  }
  [[noreturn]] void broken(const std::string& what) const {
    fail("E0513", "broken descriptor: " + what);
  }

  void memory(const void* at, std::uint64_t size, std::string_view what) const {
    if (!image_.holds(at, size)) broken(fmt::format("{} lies outside the library", what));
  }
  void count(std::uint32_t n, std::uint32_t most, std::string_view what) const {
    if (n > most) broken(fmt::format("{} {}, the most is {}", n, what, most));
  }
  std::string_view text(const char* at, std::string_view what) const {
    const auto found = image_.text(at);
    if (!found) broken(fmt::format("{} is no text of the library", what));
    return *found;
  }
  void optional_texts(std::initializer_list<const char*> texts) const {
    for (const char* at : texts) {
      if (at != nullptr) text(at, "a text");
    }
  }
  std::string_view name(const char* at, std::string_view what) const {
    const std::string_view found = text(at, what);
    if (!is_name(found)) {
      broken(
          fmt::format("{} is \"{}\"; names are lower-case letters, digits and _, with dots "
                      "between words",
                      what, found.substr(0, 64)));
    }
    return found;
  }
  // An array of n structs, each as large as its producer made it but no smaller than ours.
  template <class T>
  void table(const T* first, std::uint32_t n, std::string_view what) const {
    if (n == 0) return;
    memory(first, sizeof(T), what);
    if (first->size < sizeof(T)) broken(fmt::format("{}: an entry is too small", what));
    memory(first, std::uint64_t{first->size} * n, what);
  }

  void check_version() const {
    if (plugin_->abi_major != LIMEN_ABI_MAJOR) {
      fail("E0506", fmt::format("built for limen ABI {}; this engine has {}", plugin_->abi_major,
                                LIMEN_ABI_MAJOR));
    }
    if (plugin_->abi_needs > LIMEN_ABI_MINOR) {
      fail("E0507",
           fmt::format("needs limen ABI {}.{} or later; this engine has {}.{}", plugin_->abi_major,
                       plugin_->abi_needs, LIMEN_ABI_MAJOR, LIMEN_ABI_MINOR));
    }
  }

  void extensions(const limen_ext* ext) const {
    for (std::uint32_t i = 0; ext != nullptr; ext = ext->next, ++i) {
      count(i, kMostExtensions, "extensions");
      memory(ext, sizeof(limen_ext), "an extension");
      const std::string_view id = text(ext->id, "an extension's id");
      if (ext->flags & LIMEN_EXT_REQUIRED) {
        broken(fmt::format("it requires the extension {}, which this engine has not", id));
      }
    }
  }

  void taken(std::string_view op_name) {
    if (!names_.insert(op_name).second) {
      where_.clear();
      fail("E0516", fmt::format("op \"{}\" is offered twice by this file", op_name));
    }
  }

  void op(const limen_op* o, std::uint32_t index) {
    where_ = fmt::format("op {}", index);
    memory(o, sizeof(limen_op), "it");
    if (o->size < sizeof(limen_op)) broken("it is too small");
    const std::string_view op_name = name(o->name, "the op's name");
    where_ = fmt::format("op \"{}\"", op_name);
    taken(op_name);
    text(o->version, "its version");
    optional_texts(
        {o->author, o->summary, o->doc, o->formula, o->latex, o->reference, o->surrogate_of});
    for (const char* const* alias = o->aliases; alias != nullptr; ++alias) {
      memory(alias, sizeof(*alias), "the list of aliases");
      if (*alias == nullptr) break;
      taken(name(*alias, "an alias"));
      where_ = fmt::format("op \"{}\"", op_name);
    }
    extensions(o->ext);
    if (o->kind < LIMEN_MAP || o->kind > LIMEN_GENERAL) {
      broken(fmt::format("kind {} is not known to this engine", o->kind));
    }
    if (o->arity == 0 || o->outputs == 0) broken("it has no input or no output");
    count(o->arity, kMostPieces, "inputs");
    count(o->outputs, kMostPieces, "outputs");
    functions(
        {reinterpret_cast<std::uintptr_t>(o->check), reinterpret_cast<std::uintptr_t>(o->create),
         reinterpret_cast<std::uintptr_t>(o->destroy), reinterpret_cast<std::uintptr_t>(o->infer),
         reinterpret_cast<std::uintptr_t>(o->execute)});
    if (o->kind == LIMEN_GENERAL && (o->infer == nullptr || o->execute == nullptr)) {
      broken("a general op needs infer() and execute()");
    }
    params(*o);
    kernels(*o);
    facts(*o);
    where_.clear();
  }

  void functions(std::initializer_list<std::uintptr_t> list) const {
    for (const std::uintptr_t at : list) {
      if (at != 0 && !image_.code(at)) broken("a function lies outside the library's code");
    }
  }

  void params(const limen_op& o) {
    count(o.n_params, kMostParams, "parameters");
    table(o.params, o.n_params, "the table of parameters");
    std::set<std::string_view> names;
    const std::string op_place = where_;
    for (std::uint32_t i = 0; i < o.n_params; ++i) {
      const limen_param& p = *LIMEN_AT(limen_param, o.params, i);
      const std::string_view param_name = name(p.name, "a parameter's name");
      where_ = fmt::format("{}: parameter \"{}\"", op_place, param_name);
      optional_texts({p.doc});
      if (!names.insert(param_name).second) fail("E0514", "declared twice");
      param(p);
      where_ = op_place;
    }
  }

  void param(const limen_param& p) const {
    if (p.type < LIMEN_P_REAL || p.type > LIMEN_P_CHOICE) {
      fail("E0514", fmt::format("type {} is not known to this engine", p.type));
    }
    if (p.type == LIMEN_P_CHOICE) {
      count(p.n_choices, kMostParams, "choices");
      if (p.n_choices == 0) fail("E0514", "no choices");
      memory(p.choices, p.n_choices * sizeof(void*), "the list of choices");
      for (std::uint32_t i = 0; i < p.n_choices; ++i) text(p.choices[i], "a choice");
    } else if (p.type != LIMEN_P_BOOL && !(p.min <= p.max)) {
      fail("E0514", fmt::format("its range {} is empty", range_text(p)));
    }
    if (!(p.flags & LIMEN_PF_REQUIRED) && !allows(p, p.def)) {
      fail("E0514", fmt::format("default {} is {}{}", number_text(p.def),
                                p.type == LIMEN_P_REAL ? "outside " : "not ", range_text(p)));
    }
  }

  void kernels(const limen_op& o) const {
    count(o.n_kernels, kMostKernels, "kernels");
    table(o.kernels, o.n_kernels, "the table of kernels");
    std::uint32_t found = 0;
    for (std::uint32_t i = 0; i < o.n_kernels; ++i) {
      const limen_kernel& k = *LIMEN_AT(limen_kernel, o.kernels, i);
      const auto run = reinterpret_cast<std::uintptr_t>(k.run);
      if (!image_.code(run)) broken(fmt::format("kernel {} has no function of the library", i));
      if (k.role == LIMEN_FORWARD && k.isa == LIMEN_ISA_ANY) found |= k.dtype;
    }
    if (!(o.dtypes & (LIMEN_F32 | LIMEN_F64))) fail("E0515", "it announces neither f32 nor f64");
    if (o.kind == LIMEN_GENERAL) return;  // it has execute()
    for (const std::uint32_t dtype : {LIMEN_F32, LIMEN_F64}) {
      if (o.dtypes & ~found & dtype) {
        fail("E0515",
             fmt::format("no forward kernel for {}, which dtypes announces",
                         dtype == LIMEN_F32 ? "f32" : "f64"),
             {"each announced type needs a FORWARD kernel at LIMEN_ISA_ANY"});
      }
    }
  }

  void facts(const limen_op& o) const {
    if (o.facts != nullptr) {
      table(o.facts, 1, "its facts");
      count(o.facts->n_kinks, kMostPoints, "kinks");
      if (o.facts->n_kinks > 0) {
        memory(o.facts->kinks, o.facts->n_kinks * sizeof(limen_kink), "the list of kinks");
      }
    }
    count(o.n_goldens, kMostKernels, "golden tables");
    table(o.goldens, o.n_goldens, "the golden tables");
    for (std::uint32_t i = 0; i < o.n_goldens; ++i) {
      const limen_golden& g = *LIMEN_AT(limen_golden, o.goldens, i);
      count(g.n, kMostPoints, "golden points");
      const std::uint64_t n = std::uint64_t{g.n} * sizeof(double);
      memory(g.x, n * o.arity, "golden x");
      memory(g.y, n * o.outputs, "golden y");
      if (g.dydx != nullptr) memory(g.dydx, n * o.arity * o.outputs, "golden dydx");
      if (g.hyper != nullptr) memory(g.hyper, o.n_params * sizeof(double), "golden parameters");
      optional_texts({g.source});
    }
  }

  const limen_plugin* plugin_;
  const Image image_;
  const std::string& file_;
  std::string where_;
  std::set<std::string_view> names_;
};

}  // namespace

void check_descriptor(const limen_plugin* plugin, const std::string& file) {
  Checker(plugin, file).check();
}

}  // namespace limen
