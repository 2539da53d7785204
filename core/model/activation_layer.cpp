// Steps that are activations: their arguments, types, learned parameters and nodes.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/graph_reader.hpp"
#include "model/shape_layers.hpp"
#include "model/suggest.hpp"

namespace limen::language {
namespace {

bool trainable(const ParamInfo& param) { return (param.flags & LIMEN_PF_TRAINABLE) != 0; }

bool learns(const Activation& f) {
  const std::vector<ParamInfo> params = f.params();
  return std::any_of(params.begin(), params.end(), trainable);
}

bool has_axis(const Activation& f) {
  return f.rows() || f.op().arity > 1 || (f.op().outputs > 1 && f.op().kind != LIMEN_GENERAL);
}

ArgInfo arg_of(const ParamInfo& param) {
  ArgInfo info{.name = param.name,
               .type = param.type == LIMEN_P_INT      ? ArgType::count
                       : param.type == LIMEN_P_BOOL   ? ArgType::flag
                       : param.type == LIMEN_P_CHOICE ? ArgType::text
                                                      : ArgType::number,
               .standard = {},
               .help = param.doc,
               .required = (param.flags & LIMEN_PF_REQUIRED) != 0};
  if (info.type == ArgType::number || info.type == ArgType::count) {
    info.low = param.min;
    info.high = param.max;
    info.above_low = (param.flags & LIMEN_PF_OPEN_MIN) != 0;
    info.below_high = (param.flags & LIMEN_PF_OPEN_MAX) != 0;
  }
  return info;
}

std::vector<ArgInfo> args_of(const Activation& f, bool formula) {
  std::vector<ArgInfo> infos;
  if (formula) infos.push_back({.name = "f", .type = ArgType::text, .standard = {}, .help = {}});
  for (const ParamInfo& param : f.params()) infos.push_back(arg_of(param));
  if (has_axis(f)) {
    infos.push_back({.name = "axis",
                     .type = ArgType::count,
                     .standard = {},
                     .help = "axis of the rows or pieces"});
    infos.back().low = -Shape::kMaxRank;
    infos.back().high = Shape::kMaxRank - 1;
  }
  if (learns(f)) {
    infos.push_back({.name = "learn",
                     .type = ArgType::flag,
                     .standard = {},
                     .help = "whether the parameter is learned"});
    infos.push_back({.name = "per_channel",
                     .type = ArgType::flag,
                     .standard = {},
                     .help = "a value for each index of axis 1, not one for all"});
  }
  return infos;
}

void place_at(const Error& error, const Node& node, Findings& findings) {
  for (const Diagnostic& diagnostic : error.diagnostics()) {
    Diagnostic& found = findings.error(diagnostic.code, diagnostic.message, node);
    found.notes = diagnostic.notes;
    found.help = diagnostic.help;
  }
}

std::optional<SymType> refuse(Diagnostic& found, std::string help) {
  add_help(found, std::move(help));
  return std::nullopt;
}

// The type of one piece of what the step reads.
std::optional<SymType> piece_of(Step& step, const Program& program, Findings& findings) {
  const std::int64_t arity = step.activation->op().arity;
  std::optional<SymType> in = infer_equal(step, program, findings);
  if (!in || static_cast<std::int64_t>(step.reads.size()) == arity) return in;
  const auto axis = axis_of(step.activation->axis(), *in, step, program, findings);
  if (!axis) return std::nullopt;
  const auto part = quotient(in->dims[*axis], SymDim{arity, {}});
  if (!part) {
    return refuse(
        shape_error("E0602",
                    fmt::format("`{}` cuts axis {} into {} equal pieces, got {}", step.op, *axis,
                                arity, to_string(*in)),
                    step, program, findings),
        fmt::format("make that size a multiple of {0}, or give {0} tensors: `- {1}: [{2}]`", arity,
                    step.op, arity == 2 ? "a, b" : "a, b, ..."));
  }
  in->dims[*axis] = *part;
  return in;
}

bool plan_parameters(Step& step, const SymType& piece, const Program& program, Findings& findings) {
  for (const LearnedParam& param : step.learned) {
    std::int64_t count = 1;
    if (param.per_channel) {
      const bool rank = piece.rank() >= 2;
      if (!rank || !piece.dims[1].fixed()) {
        refuse(shape_error(
                   rank ? "E0602" : "E0601",
                   fmt::format("`{}.per_channel` needs {}, got {}", step.op,
                               rank ? "a fixed size of axis 1" : "an axis 1", to_string(piece)),
                   step, program, findings),
               "write `per_channel: false` to learn one value for all");
        return false;
      }
      count = piece.dims[1].factor;
    }
    step.parameters.push_back(
        {param.name, {count}, {"constant", {{"value", param.start}}}, count, count});
  }
  return true;
}

constexpr std::int64_t kProbes[] = {1, 5};

// Sizes to try for the free ones: multiples of 48, so that a rule that divides them is content.
std::map<std::string, std::int64_t> probe_sizes(const Step& step, const Program& program,
                                                std::int64_t factor) {
  std::map<std::string, std::int64_t> sizes;
  for (const std::size_t value : step.reads) {
    for (const SymDim& dim : program.type_of(value).dims) {
      for (const std::string& symbol : dim.symbols) sizes.emplace(symbol, 0);
    }
  }
  std::int64_t next = 48 * factor;
  for (auto& [symbol, size] : sizes) size = next, next += 96;
  return sizes;
}

Shape probe(const Step& step, const Program& program, std::int64_t factor) {
  Graph graph;
  std::vector<Value> in;
  for (std::size_t i = 0; i < step.reads.size(); ++i) {
    const SymType& type = operand(step, program, i);
    in.push_back(
        graph.input(fmt::format("x{}", i),
                    {shape_of(type.dims, probe_sizes(step, program, factor)), type.dtype}));
  }
  return activate(in, *step.activation).shape();
}

// The size that was `a` in one probe and `b` in the other.
std::optional<SymDim> size_of(std::int64_t a, std::int64_t b, const Step& step,
                              const Program& program) {
  if (a == b) return SymDim{a, {}};
  const auto sizes_a = probe_sizes(step, program, kProbes[0]);
  const auto sizes_b = probe_sizes(step, program, kProbes[1]);
  for (const std::size_t value : step.reads) {
    for (const SymDim& from : program.type_of(value).dims) {
      if (from.fixed()) continue;
      const SymDim free{1, from.symbols};
      const std::int64_t at_a = shape_of({free}, sizes_a)[0], at_b = shape_of({free}, sizes_b)[0];
      if (a % at_a == 0 && b % at_b == 0 && a / at_a == b / at_b) {
        return SymDim{a / at_a, from.symbols};
      }
    }
  }
  return std::nullopt;
}

// What a probe says, with the types that the file has in place of those that were tried.
std::string in_words_of_file(std::string text, const Step& step, const Program& program) {
  for (const std::int64_t factor : kProbes) {
    for (const std::size_t value : step.reads) {
      const SymType& type = program.type_of(value);
      const std::string tried = to_string(
          TensorType{shape_of(type.dims, probe_sizes(step, program, factor)), type.dtype});
      const std::size_t at = text.find(tried);
      if (at != std::string::npos) text.replace(at, tried.size(), to_string(type));
    }
  }
  return text;
}

// A general op has its own rule for shapes, which knows numbers only: it is asked twice, with other
// numbers for the free sizes. A size that stays is fixed; one that follows a size of an operand is
// the free part of that one times a number. build_activation() checks the guess with the true
// sizes.
std::optional<SymType> infer_general(Step& step, const Program& program, Findings& findings) {
  if (!floats(step, program, findings)) return std::nullopt;
  try {
    const Shape a = probe(step, program, kProbes[0]), b = probe(step, program, kProbes[1]);
    SymType out{operand(step, program).declared, operand(step, program).dtype, {}};
    for (int axis = 0; axis < a.rank() && a.rank() == b.rank(); ++axis) {
      const std::optional<SymDim> dim = size_of(a[axis], b[axis], step, program);
      if (!dim) break;
      out.dims.push_back(*dim);
    }
    if (static_cast<int>(out.dims.size()) == a.rank() && a.rank() == b.rank()) return out;
    return refuse(shape_error("E0602",
                              fmt::format("the shape that `{}` gives depends on a free size in a "
                                          "way that cannot be written",
                                          step.op),
                              step, program, findings),
                  "declare the inputs with fixed sizes");
  } catch (const Error& error) {
    for (const Diagnostic& diagnostic : error.diagnostics()) {
      Diagnostic& found = shape_error(diagnostic.code,
                                      diagnostic.code == "E0606"  // the tried sizes are no shapes
                                          ? diagnostic.message
                                          : in_words_of_file(diagnostic.message, step, program),
                                      step, program, findings);
      for (const std::string& help : diagnostic.help) add_help(found, help);
      add_help(found, fmt::format("see what it takes with `limen plugin info {}`",
                                  step.activation->plugin().file));
    }
    return std::nullopt;
  }
}

}  // namespace

void GraphReader::read_list_as_from(StepDraft& draft) {
  const Node* value = draft.call.value;
  if (value == nullptr || value->kind != Node::Kind::list) return;
  if (draft.from != nullptr) {
    add_help(findings_.error("E0206", fmt::format("`{}` says twice what it reads", draft.call.name),
                             *value),
             "remove the list or the key `from`");
  }
  draft.from = value;
  draft.call.value = nullptr;
}

// False, with a finding, if the step wants to learn and the op has nothing to learn.
bool GraphReader::learns_something(const StepDraft& draft, const Activation& activation) {
  const Node* value = draft.call.value;
  if (value == nullptr || value->kind != Node::Kind::map || learns(activation)) return true;
  for (const char* key : {"learn", "per_channel"}) {
    const Entry* entry = value->find(key);
    if (entry == nullptr) continue;
    Diagnostic& found = findings_.error(
        "E0202", fmt::format("`{}` has no parameter that can be learned", draft.call.name),
        entry->key_at);
    std::vector<std::string> names;
    for (const Activation& other : registry_.activations()) {
      if (learns(other)) names.emplace_back(other.name());
    }
    add_help(found, names.empty() ? fmt::format("remove `{}`: no op here has one", key)
                                  : known_list("ops that learn", names));
    return false;
  }
  return true;
}

void GraphReader::draft_activation(StepDraft& draft) {
  const bool formula = draft.call.name == "formula";
  std::optional<Activation> activation;
  try {
    activation = formula ? read_formula(draft.call, findings_) : registry_.find(draft.call.name);
    if (!activation) return;
  } catch (const Error& error) {
    const bool ambiguous = error.diagnostics().front().code != "E0518";
    return ambiguous ? place_at(error, draft.call.named, findings_) : unknown_op(draft.call);
  }
  if (const auto others = registry_.hidden(draft.call.name); !others.empty()) {
    add_help(findings_.warning("E0517",
                               fmt::format("`{}` is the op that is shipped with limen, not {}",
                                           draft.call.name, join(others, " or ")),
                               draft.call.named.at),
             fmt::format("for that one write `\"{}\"`", others.front()));
  }
  if (activation->op().arity > 1) read_list_as_from(draft);
  if (!learns_something(draft, *activation)) return;
  const Call& call = draft.call;
  const std::vector<ArgInfo> infos = args_of(*activation, formula);
  const bool parameters = formula || activation->op().n_params > 0;
  const CallInfo info{
      call.name, parameters ? infos.front().name : std::string_view(), {}, infos, {}};
  const bool looks_like_dense =
      infos.empty() && call.value != nullptr && call.value->kind == Node::Kind::integer;
  const std::size_t before = findings_.count();
  const Args args = Args::read(info, call, findings_);
  if (args.good()) return set_activation(draft, *activation, args);
  if (looks_like_dense && findings_.count() == before + 1) {
    add_help(findings_.last(),
             fmt::format("a layer with weights is `dense: {}`", call.value->text));
  }
}

void GraphReader::set_activation(StepDraft& draft, const Activation& found, const Args& args) {
  Step& step = draft.step;
  Activation activation = found;
  try {
    std::map<std::string, double> values;
    for (const ParamInfo& param : found.params()) {
      const Arg* arg = args.find(param.name);
      if (arg == nullptr) continue;
      const std::string name(param.name);
      if (arg->info->type == ArgType::text) {
        values.emplace(name, activation.choice(name, arg->text));
      } else {
        values.emplace(name,
                       arg->info->type == ArgType::flag ? (arg->flag ? 1.0 : 0.0) : arg->number);
      }
    }
    if (args.written("axis") && has_axis(found)) {
      activation = activation.along(static_cast<int>(args.count("axis")));
    }
    step.activation = activation.with(values);
  } catch (const Error& error) {
    return place_at(error, draft.call.named, findings_);
  }
  const std::vector<ParamInfo> params = found.params();
  for (std::size_t i = 0; i < params.size(); ++i) {
    const ParamInfo& p = params[i];
    const auto choice = [&](std::string_view name, std::uint32_t flag) {
      return args.written(name) ? args.flag(name) : (p.flags & flag) != 0;
    };
    if (!trainable(p) || !choice("learn", LIMEN_PF_LEARNED)) continue;
    step.learned.push_back({std::string(p.name), step.activation->hyper()[i],
                            choice("per_channel", LIMEN_PF_PER_CHANNEL)});
  }
  if (step.learned.empty() && args.written("per_channel")) {
    add_help(findings_.error("E0206",
                             fmt::format("`{}.per_channel` says how something is learned, and "
                                         "nothing is",
                                         step.op),
                             *args.find("per_channel")->node),
             "add `learn: true`, or remove `per_channel`");
  }
}

void GraphReader::check_pieces(const Step& step, int count) {
  const int arity = step.activation ? static_cast<int>(step.activation->op().arity) : 1;
  if (count == 1 || count == arity) return;
  Diagnostic& found = findings_.error(
      "E0413",
      fmt::format("`{}` reads 1 tensor{}, here it gets {}", step.op,
                  arity == 1 ? "" : fmt::format(", which it cuts, or {}", arity), count),
      step.named);
  add_help(found, arity == 1 ? "let `from` name one step"
                             : fmt::format("let `from` name one step, or {}", arity));
}

std::optional<SymType> infer_activation(Step& step, const Program& program, Findings& findings) {
  const Activation& f = *step.activation;
  if (f.op().kind == LIMEN_GENERAL) return infer_general(step, program, findings);
  std::optional<SymType> out = piece_of(step, program, findings);
  if (!out || !plan_parameters(step, *out, program, findings)) return std::nullopt;
  if (!f.rows() && f.op().outputs == 1) return out;
  const auto axis = axis_of(f.axis(), *out, step, program, findings);
  if (!axis) return std::nullopt;
  const auto joined = product(out->dims[*axis], SymDim{f.op().outputs, {}});
  if (!joined) {
    return refuse(shape_error("E0606", fmt::format("`{}` gives a size beyond 64 bits", step.op),
                              step, program, findings),
                  "use smaller sizes");
  }
  out->dims[*axis] = *joined;
  return out;
}

Value build_activation(const Step& step, std::span<const Value> in, LayerBuilder& builder) {
  ActivateOptions options;
  for (const LearnedParam& param : step.learned) {
    options.learned.emplace(param.name, builder.parameter(step, param.name));
  }
  options.training = builder.training();
  if ((step.activation->op().flags & LIMEN_OP_STOCHASTIC) != 0 && builder.training()) {
    options.counter = builder.counter();
    options.seed = builder.seed("activation", step.name);
  }
  const Value out = activate(in, *step.activation, options);
  if (out.shape() != builder.shape(step.type.dims)) {
    throw Error("E0602",
                fmt::format("`{}` gives {} where {} was expected from its free sizes", step.op,
                            to_string(out.type()), to_string(step.type)),
                {"declare the inputs with fixed sizes"});
  }
  return out;
}

}  // namespace limen::language
