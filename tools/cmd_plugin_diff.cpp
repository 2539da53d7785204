// limen plugin diff: what two libraries do differently.
#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "isolated_verb.hpp"
#include "kernel_run.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr int kSeconds = 120;

std::string text_or_none(const char* text) { return text != nullptr ? text : "none"; }

std::string facts_text(const limen_op& op) {
  if (op.facts == nullptr) return "none";
  const limen_facts& f = *op.facts;
  std::string text =
      fmt::format("flags {:#x}, x in [{}, {}], y in [{}, {}], |f'| <= {}, gain {}, accuracy {}",
                  f.flags, f.x_min, f.x_max, f.y_min, f.y_max, f.lipschitz, f.gain, f.accuracy);
  for (std::uint32_t i = 0; i < f.n_kinks; ++i) {
    text += fmt::format(", kink at {} (slope {})", f.kinks[i].at, f.kinks[i].slope);
  }
  return text;
}

// What can be compared as text, by what it is called.
std::map<std::string, std::string> descriptions(const Activation& activation) {
  const limen_op& op = activation.op();
  std::map<std::string, std::string> all = {
      {"version", text_or_none(op.version)},
      {"formula", text_or_none(op.formula)},
      {"summary", text_or_none(op.summary)},
      {"kind", std::to_string(op.kind)},
      {"flags", fmt::format("{:#x}", op.flags)},
      {"inputs and outputs", fmt::format("{} -> {}", op.arity, op.outputs)},
      {"facts", facts_text(op)},
  };
  for (const std::string_view alias : activation.aliases()) {
    all.emplace(fmt::format("alias {}", alias), "there");
  }
  for (const ParamInfo& param : activation.params()) {
    all.emplace(fmt::format("parameter {}", param.name),
                fmt::format("{} in {}, flags {:#x}", param.def, param.range, param.flags));
  }
  for (std::uint32_t i = 0; i < op.n_kernels; ++i) {
    all.emplace("kernel " + kernel_text(*LIMEN_AT(limen_kernel, op.kernels, i)), "there");
  }
  return all;
}

// Where two kernels may part: dense near 0, thin far away.
std::vector<double> grid() {
  std::vector<double> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(i * 0.0025);
  for (const double size : {11.0, 17.0, 25.0, 40.0, 88.0, 1e3, 1e6}) {
    x.push_back(size);
    x.push_back(-size);
  }
  return x;
}

struct Distance {
  double most = 0, at = 0;
};

Distance distance(const std::vector<double>& a, const std::vector<double>& b,
                  const std::vector<double>& x) {
  Distance found;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const bool same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    const double d = same                         ? 0
                     : std::isfinite(a[i] - b[i]) ? std::fabs(a[i] - b[i])
                                                  : std::numeric_limits<double>::infinity();
    if (d > found.most) found = {d, x[i]};
  }
  return found;
}

class PluginDiffVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "A", a_, "FILE.so, or the name of a plugin or op");
    add_word(app, "B", b_, "likewise");
  }

  Exit run(Context& context) override {
    if (a_.empty() || b_.empty()) throw usage_error("`limen plugin diff` needs two plugins");
    return run_on_plugins(
        context, a_ + " or " + b_, kSeconds,
        [&]() -> IsolatedAnswer {
          const Json differences = compare(context);
          return {differences.empty() ? Exit::ok : Exit::no, to_line(differences)};
        },
        [&](const std::string& payload) { show(context, parse_json(payload)); });
  }

 private:
  void show(Context& context, const Json& differences) const {
    if (context.globals.json) {
      return context.out.json({{"limen", 1},
                               {"kind", "plugin.diff"},
                               {"a", a_},
                               {"b", b_},
                               {"differences", differences}});
    }
    std::string text = differences.empty() ? "no difference\n" : "";
    for (const Json& d : differences) {
      text +=
          fmt::format("{}: {}: {} | {}\n", d["op"].get<std::string>(), d["what"].get<std::string>(),
                      d["a"].get<std::string>(), d["b"].get<std::string>());
    }
    context.out.write(text);
  }

  Json compare(Context& context) const {
    Json found = Json::array();
    const auto add = [&](std::string_view op, std::string_view what, const std::string& a,
                         const std::string& b) {
      found.push_back({{"op", op}, {"what", what}, {"a", a}, {"b", b}});
    };
    std::vector<Activation> left = ops_of_subject(context, a_), right = ops_of_subject(context, b_);
    // Two single ops are compared whatever they are called.
    const bool pair = left.size() == 1 && right.size() == 1;
    if (pair && left[0].name() != right[0].name()) {
      add(left[0].name(), "name", std::string(left[0].name()), std::string(right[0].name()));
    }
    for (const Activation& a : left) {
      const auto b = std::find_if(right.begin(), right.end(), [&](const Activation& other) {
        return pair || other.name() == a.name();
      });
      if (b == right.end()) {
        add(a.name(), "op", "there", "missing");
        continue;
      }
      compare_texts(a, *b, add);
      compare_numbers(a, *b, add);
    }
    for (const Activation& b : right) {
      const bool known = pair || std::any_of(left.begin(), left.end(), [&](const Activation& a) {
                           return a.name() == b.name();
                         });
      if (!known) add(b.name(), "op", "missing", "there");
    }
    return found;
  }

  template <class Add>
  static void compare_texts(const Activation& a, const Activation& b, const Add& add) {
    const std::map<std::string, std::string> left = descriptions(a), right = descriptions(b);
    for (const auto& [what, text] : left) {
      const auto other = right.find(what);
      const std::string there = other == right.end() ? "missing" : other->second;
      if (there != text) add(a.name(), what, text, there);
    }
    for (const auto& [what, text] : right) {
      if (!left.contains(what)) add(a.name(), what, "missing", text);
    }
  }

  // Largest differences over a grid, at the default parameters.
  template <class Add>
  static void compare_numbers(const Activation& a, const Activation& b, const Add& add) {
    const auto plain = [](const Activation& f) {
      const std::span<const double> hyper = f.hyper();
      return f.op().kind == LIMEN_MAP &&
             std::none_of(hyper.begin(), hyper.end(), [](double h) { return std::isnan(h); });
    };
    if (!plain(a) || !plain(b) || a.op().arity != b.op().arity) return;
    const std::vector<double> x = grid();
    const Curves left = curves_of(a, x), right = curves_of(b, x);
    const auto compare = [&](const char* what, const std::vector<double>& one,
                             const std::vector<double>& two) {
      const Distance most = distance(one, two, x);
      if (most.most == 0) return;
      const auto at = static_cast<std::size_t>(std::find(x.begin(), x.end(), most.at) - x.begin());
      add(a.name(), fmt::format("{}, most at x = {:.6g}", what, most.at),
          fmt::format("{:.17g}", one[at]), fmt::format("{:.17g}", two[at]));
    };
    compare("value", left.y, right.y);
    compare("derivative", left.slope, right.slope);
    compare("second derivative", left.bend, right.bend);
  }

  std::string a_, b_;
};

}  // namespace

std::unique_ptr<Verb> make_plugin_diff() { return std::make_unique<PluginDiffVerb>(); }

}  // namespace limen::tools
