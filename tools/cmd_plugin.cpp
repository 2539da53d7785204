// limen plugin info.
#include <cmath>

#include <fmt/format.h>

#include "base/isa.hpp"
#include "base/text.hpp"
#include "fact_texts.hpp"
#include "isolated_verb.hpp"
#include "verbs.hpp"

namespace limen::tools {
namespace {

constexpr int kLoadSeconds = 20;

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

Json number_json(double value) {
  if (std::isnan(value)) return nullptr;
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

std::string role_name(std::uint32_t role) {
  switch (role) {
    case LIMEN_FORWARD:
      return "forward";
    case LIMEN_BACKWARD:
      return "backward";
    case LIMEN_JVP:
      return "jvp";
    case LIMEN_BACKWARD2:
      return "backward2";
    default:
      return std::to_string(role);
  }
}

std::string reads_text(std::uint32_t reads) {
  std::vector<std::string> parts;
  if (reads & LIMEN_X) parts.emplace_back("x");
  if (reads & LIMEN_Y) parts.emplace_back("y");
  if (reads & LIMEN_STATE) parts.emplace_back("state");
  return join(parts);
}

Json param_json(const ParamInfo& param) {
  constexpr const char* kTypes[] = {"?", "real", "int", "bool", "choice"};
  Json json{{"name", param.name},
            {"type", kTypes[param.type <= LIMEN_P_CHOICE ? param.type : 0]},
            {"default", number_json(param.def)},
            {"min", number_json(param.min)},
            {"max", number_json(param.max)},
            {"range", param.range},
            {"required", (param.flags & LIMEN_PF_REQUIRED) != 0},
            {"trainable", (param.flags & LIMEN_PF_TRAINABLE) != 0},
            {"learned", (param.flags & LIMEN_PF_LEARNED) != 0},
            {"per_channel", (param.flags & LIMEN_PF_PER_CHANNEL) != 0},
            {"log", (param.flags & LIMEN_PF_LOG) != 0},
            {"doc", param.doc}};
  if (!param.choices.empty()) json["choices"] = param.choices;
  return json;
}

Json kernel_json(const limen_kernel& kernel) {
  return {
      {"role", role_name(kernel.role)},
      {"dtype", kernel.dtype == LIMEN_F64 ? "f64" : "f32"},
      {"isa", isa_name(kernel.isa)},
      {"reads", reads_text(kernel.reads)},
      {"in_place", (kernel.alias & (LIMEN_ALIAS_Y_X | LIMEN_ALIAS_DX_DY | LIMEN_ALIAS_DX_X)) != 0},
      {"variant", kernel.variant},
      {"state_bits", kernel.state_bits},
      {"cost", kernel.cost},
      {"max_ulp", kernel.max_ulp}};
}

const char* kind_name(std::uint32_t kind) {
  return kind == LIMEN_ROWS ? "rows" : kind == LIMEN_GENERAL ? "general" : "map";
}

Json op_json(const Activation& activation) {
  const limen_op& op = activation.op();
  Json params = Json::array(), kernels = Json::array();
  for (const ParamInfo& param : activation.params()) params.push_back(param_json(param));
  for (std::uint32_t i = 0; i < op.n_kernels; ++i) {
    kernels.push_back(kernel_json(*LIMEN_AT(limen_kernel, op.kernels, i)));
  }
  std::uint32_t points = 0;
  for (std::uint32_t i = 0; i < op.n_goldens; ++i) {
    points += LIMEN_AT(limen_golden, op.goldens, i)->n;
  }
  return {{"name", op.name},
          {"aliases", activation.aliases()},
          {"version", text_of(op.version)},
          {"summary", text_of(op.summary)},
          {"formula", text_of(op.formula)},
          {"latex", text_of(op.latex)},
          {"doc", text_of(op.doc)},
          {"author", text_of(op.author)},
          {"reference", text_of(op.reference)},
          {"kind", kind_name(op.kind)},
          {"inputs", op.arity},
          {"outputs", op.outputs},
          {"facts", fact_texts(op)},
          {"golden_points", points},
          {"params", params},
          {"kernels", kernels}};
}

Json plugin_json(const LoadedPlugin& plugin, const std::vector<Activation>& ops) {
  Json list = Json::array();
  for (const Activation& activation : ops) list.push_back(op_json(activation));
  const limen_plugin& d = *plugin.descriptor;
  return {{"limen", 1},
          {"kind", "plugin.info"},
          {"plugin", d.name},
          {"version", d.version},
          {"author", text_of(d.author)},
          {"license", text_of(d.license)},
          {"url", text_of(d.url)},
          {"build", text_of(d.build)},
          {"abi", fmt::format("{}.{}", d.abi_major, d.abi_minor)},
          {"file", plugin.file},
          {"shipped", plugin.shipped},
          {"ops", list}};
}

std::string joined(const Json& list) {
  std::string text;
  for (const Json& item : list) text += (text.empty() ? "" : ", ") + item.get<std::string>();
  return text;
}

std::string default_of(const Json& param) {
  if (!param.contains("choices")) return fmt::format("default {}", to_line(param["default"]));
  return fmt::format("default {}", std::string(param["choices"][param["default"].get<int>()]));
}

std::string op_text(const Json& op) {
  std::string text = op["name"].get<std::string>();
  const auto line = [&](const char* label, const std::string& value) {
    if (!value.empty()) text += fmt::format("\n  {:<11} {}", label, value);
  };
  if (op["summary"] != op["formula"]) line("", op["summary"]);
  line("formula", op["formula"]);
  line("also called", joined(op["aliases"]));
  line("works on", op["kind"] == "rows"      ? "rows along an axis"
                   : op["kind"] == "general" ? "whole tensors"
                                             : "single elements");
  if (op["inputs"] != 1 || op["outputs"] != 1) {
    line("pieces", fmt::format("{} of the input, {} of the result, along an axis",
                               op["inputs"].get<int>(), op["outputs"].get<int>()));
  }
  for (const Json& fact : op["facts"]) line("fact", fact);
  if (op["params"].empty()) line("parameters", "none");
  for (const Json& param : op["params"]) {
    const std::string learned = param["learned"].get<bool>()     ? ", learned"
                                : param["trainable"].get<bool>() ? ", may be learned"
                                                                 : "";
    const std::string standard =
        (param["required"].get<bool>() ? "required" : default_of(param)) + learned;
    line("parameter",
         fmt::format("{} {}, {}  {}", param["name"].get<std::string>(),
                     param["range"].get<std::string>(), standard, param["doc"].get<std::string>()));
  }
  std::map<std::string, std::vector<std::string>>
      kernels;  // role, type and reads: by instruction set
  for (const Json& k : op["kernels"]) {
    const std::string reads = k["reads"];
    kernels[fmt::format("{} {}{}", k["role"].get<std::string>(), k["dtype"].get<std::string>(),
                        reads.empty() ? "" : ", reads " + reads)]
        .push_back(k["isa"]);
  }
  for (const auto& [name, sets] : kernels) line("kernel", fmt::format("{}: {}", name, join(sets)));
  line("reference", op["reference"]);
  return text + "\n";
}

std::string plugin_text(const Json& info) {
  std::string text =
      fmt::format("{} {}  {}\n", info["plugin"].get<std::string>(),
                  info["version"].get<std::string>(), info["file"].get<std::string>());
  const std::string license = info["license"];
  if (!license.empty()) text += fmt::format("license {}\n", license);
  for (const Json& op : info["ops"]) text += op_text(op);
  return text;
}

class PluginInfoVerb : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_word(app, "PLUGIN", subject_, "a FILE.so, or the name of an op or a plugin");
  }

  Exit run(Context& context) override {
    if (subject_.empty()) throw usage_error("`limen plugin info` needs a FILE.so or a name");
    return run_on_plugins(
        context, subject_, kLoadSeconds,
        [&]() -> IsolatedAnswer {
          return {Exit::ok, to_line(find(context))};
        },
        [&](const std::string& payload) {
          const Json info = parse_json(payload);
          context.globals.json ? context.out.json(info) : context.out.write(plugin_text(info));
        });
  }

 private:
  // In the child: a library may do anything while it is loaded.
  Json find(Context& context) const {
    if (subject_.find('/') != std::string::npos || subject_.ends_with(".so")) {
      PluginRegistry registry;
      const auto plugin = registry.load(subject_);
      return plugin_json(*plugin, registry.activations());
    }
    const PluginRegistry& registry = context.registry();
    for (const auto& plugin : registry.plugins()) {
      if (plugin->name() != subject_) continue;
      std::vector<Activation> ops;
      for (const Activation& activation : registry.activations()) {
        if (&activation.plugin() == plugin.get()) ops.push_back(activation);
      }
      return plugin_json(*plugin, ops);
    }
    const Activation activation = registry.find(subject_);
    return plugin_json(activation.plugin(), {activation});
  }

  std::string subject_;
};

}  // namespace

std::unique_ptr<Verb> make_plugin_info() { return std::make_unique<PluginInfoVerb>(); }

}  // namespace limen::tools
