// limen plugin bench: what the kernels of a plugin cost.
#include <fmt/format.h>

#include "base/isa.hpp"
#include "isolated_verb.hpp"
#include "kernel_run.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr int kSeconds = 600;

class PluginBenchVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "SUBJECT", subject_, "FILE.so, or the name of a plugin or op");
  }

  Exit run(Context& context) override {
    if (subject_.empty()) throw usage_error("`limen plugin bench` needs a FILE.so or a name");
    return run_on_plugins(
        context, subject_, kSeconds,
        [&]() -> IsolatedAnswer {
          return {Exit::ok, to_line(measure(context))};
        },
        [&](const std::string& payload) {
          const Json json = parse_json(payload);
          context.globals.json ? context.out.json(json) : context.out.write(text_of(json));
        });
  }

 private:
  Json measure(Context& context) const {
    Json ops = Json::array();
    for (const Activation& activation : ops_of_subject(context, subject_)) {
      Json kernels = Json::array();
      for (const KernelTime& time : time_kernels(activation, true)) {
        kernels.push_back({{"kernel", kernel_text(*time.kernel)},
                           {"dtype", time.kernel->dtype == LIMEN_F64 ? "f64" : "f32"},
                           {"role", role_text(time.kernel->role)},
                           {"isa", isa_name(time.kernel->isa)},
                           {"cache_ns", time.near_ns},
                           {"memory_ns", time.far_ns},
                           {"call_ns", time.call_ns}});
      }
      ops.push_back({{"op", activation.name()}, {"kernels", kernels}});
    }
    return {{"limen", 1}, {"kind", "plugin.bench"}, {"subject", subject_}, {"ops", ops}};
  }

  static std::string text_of(const Json& json) {
    std::string text;
    for (const Json& op : json["ops"]) {
      Table table({op["op"], "ns/element in cache", "in memory", "ns for a call of 1"},
                  {false, true, true, true});
      for (const Json& kernel : op["kernels"]) {
        table.add({kernel["kernel"], fmt::format("{:.3f}", kernel["cache_ns"].get<double>()),
                   fmt::format("{:.3f}", kernel["memory_ns"].get<double>()),
                   fmt::format("{:.1f}", kernel["call_ns"].get<double>())});
      }
      text += op["kernels"].empty()
                  ? fmt::format("{}: a general op, which has no kernels to time\n",
                                op["op"].get<std::string>())
                  : table.text();
    }
    return text;
  }

  std::string subject_;
};

}  // namespace

std::unique_ptr<Verb> make_plugin_bench() { return std::make_unique<PluginBenchVerb>(); }

}  // namespace limen::tools
