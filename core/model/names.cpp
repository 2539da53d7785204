// Names: who is called what, and who reads whom.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "model/graph_reader.hpp"
#include "model/substitute.hpp"
#include "model/suggest.hpp"

namespace limen::language {
namespace {

// The op as automatic names have it: what a plugin calls it, without the plugin.
std::string short_name(const std::string& op) { return op.substr(op.rfind(':') + 1); }

}  // namespace

std::string name_text(const Node& node) {
  return node.is_scalar() && node.kind != Node::Kind::null ? fmt::format("`{}`", node.text)
                                                           : describe(node);
}

Span Program::made_at(std::size_t value, std::string label) const {
  if (value >= inputs.size()) return steps[value - inputs.size()].named.at.span(std::move(label));
  Span span = inputs[value].spec.at;
  span.label = std::move(label);
  return span;
}

std::optional<std::size_t> Scope::find(const Node& node, const Program& program,
                                       Findings& findings) const {
  if (node.kind != Node::Kind::text) {
    Diagnostic& found =
        findings.error("E0404", fmt::format("`from` takes names, found {}", describe(node)), node);
    add_help(found, node.is_number()
                        ? "limen has no layer numbers: give the step a `name` and use it here"
                        : "write a name, or a list of names");
    return std::nullopt;
  }
  if (const auto known = written.find(node.text); known != written.end())
    return known->second.value;
  if (const auto moving = automatic.find(node.text); moving != automatic.end()) {
    Diagnostic& found = findings.error(
        "E0410", fmt::format("`{}` is an automatic name; it moves when steps are added", node.text),
        node);
    found.spans.push_back(program.made_at(moving->second.value, "the step it stands for now"));
    add_help(found, "give that step a `name` and use it here");
    return std::nullopt;
  }
  Diagnostic& found = findings.error(
      "E0405", fmt::format("no step or input is called `{}` before this line", node.text), node);
  std::vector<std::string> names;
  for (const auto& [name, entry] : written) names.push_back(name);
  if (const auto below = later.find(node.text); below != later.end()) {
    found.spans.push_back(below->second.span("defined here"));
    add_help(found,
             fmt::format("`{}` is defined further down; a step can only read what stands above it",
                         node.text));
  } else {
    add_help(found, suggest(node.text, names));
  }
  add_help(found, known_list("names in scope", names));
  return std::nullopt;
}

// Gives the step its name and checks that nothing else has it.
void GraphReader::declare(StepDraft& draft, std::map<std::string, int>& counts) {
  Step& step = draft.step;
  if (draft.name == nullptr) {
    const std::string op = short_name(step.op);
    step.name = fmt::format("{}{}", op, ++counts[op]);
    return;
  }
  step.written = true;
  step.name = draft.name->text;
  if (draft.name->kind != Node::Kind::text || !is_name(step.name)) {
    add_help(
        findings_.error("E0406", fmt::format("a step cannot be called {}", name_text(*draft.name)),
                        *draft.name),
        "names are lower-case letters, digits and `_`, and do not begin with a digit");
  } else if (const auto known = scope_.later.find(step.name); known != scope_.later.end()) {
    Diagnostic& found =
        findings_.error("E0403", fmt::format("two things are called `{}`", step.name), *draft.name);
    found.spans.push_back(known->second.span("first here"));
    add_help(found, "inputs and steps share one space: choose another name");
  } else {
    scope_.later.emplace(step.name, draft.name->at);
  }
}

void GraphReader::name_steps() {
  std::map<std::string, int> counts;
  for (const InputPlan& input : program_.inputs) scope_.later.emplace(input.spec.name, input.named);
  std::vector<StepDraft*> drafts;
  for (StepDraft& draft : steps_) drafts.push_back(&draft);
  for (OutputDraft& output : outputs_) {
    if (output.step) drafts.push_back(&*output.step);
  }
  for (StepDraft* draft : drafts) declare(*draft, counts);
  for (const StepDraft* draft : drafts) {
    if (draft->step.written) continue;
    const auto clash = scope_.later.find(draft->step.name);
    if (clash == scope_.later.end()) continue;
    Diagnostic& found = findings_.error(
        "E0408", fmt::format("`{}` is the automatic name of another step", draft->step.name),
        clash->second);
    found.spans.push_back(draft->step.named.at.span("this step, which has no name of its own"));
    add_help(found, "choose another name, or give that step a `name`");
  }
}

void GraphReader::connect(StepDraft& draft, std::size_t above) {
  Step& step = draft.step;
  if (draft.from == nullptr) {
    step.reads = {above};
  } else if (draft.from->kind == Node::Kind::list) {
    for (const Node& item : draft.from->items) {
      if (const auto value = scope_.find(item, program_, findings_)) step.reads.push_back(*value);
    }
    if (step.reads.size() != draft.from->items.size()) return;
  } else if (const auto value = scope_.find(*draft.from, program_, findings_)) {
    step.reads = {*value};
  } else {
    return;
  }
  const int count = static_cast<int>(step.reads.size());
  if (step.layer == nullptr) return check_pieces(step, count);
  const int least = step.layer->least, most = step.layer->most;
  if (count >= least && (most < 0 || count <= most)) return;
  Diagnostic& found = findings_.error(
      "E0413",
      fmt::format("`{}` reads {}{} tensor{}, here it gets {}", step.op,
                  most == least ? "" : "at least ", least, least == 1 ? "" : "s", count),
      step.named);
  add_help(found, most == 1 ? "let `from` name one step"
                            : fmt::format("name what it reads: `- {}: [a, b]`", step.op));
}

void GraphReader::resolve_names() {
  name_steps();
  if (findings_.any()) return;
  for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
    const InputPlan& input = program_.inputs[i];
    scope_.written[input.spec.name] = {i, input.named};
    scope_.later.erase(input.spec.name);
  }
  std::size_t above = 0;
  const auto add = [&](StepDraft& draft, bool readable) {
    connect(draft, above);
    const std::size_t value = program_.values();
    const Scope::Entry entry{value, draft.step.named.at};
    scope_.later.erase(draft.step.name);
    if (readable) (draft.step.written ? scope_.written : scope_.automatic)[draft.step.name] = entry;
    program_.steps.push_back(std::move(draft.step));
    return value;
  };
  for (StepDraft& draft : steps_) above = add(draft, true);
  program_.graph_steps = program_.steps.size();
  const std::size_t last = above;
  for (OutputDraft& output : outputs_) {
    if (output.step) {
      program_.outputs.push_back({output.step->step.name, 0});
      program_.outputs.back().value = add(*output.step, false);
    } else if (const auto value = scope_.find(*output.node, program_, findings_)) {
      program_.outputs.push_back({output.node->text, *value});
    }
  }
  if (outputs_node_ == nullptr) program_.outputs.push_back({program_.name_of(last), last});
  for (std::size_t i = 0; i < program_.outputs.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (program_.outputs[i].name != program_.outputs[k].name) continue;
      add_help(findings_.error("E0705",
                               fmt::format("output `{}` is listed twice", program_.outputs[i].name),
                               *outputs_[i].node),
               "keep one of them");
    }
  }
  std::map<std::string, Place> names;
  for (TermDraft& draft : terms_) {
    if (draft.metric && findings_.any()) return;  // it would say the same again
    resolve_term(draft, last, names);
  }
}

void GraphReader::infer_shapes() {
  for (Step& step : program_.steps) {
    const auto type = step.layer != nullptr ? step.layer->infer(step, program_, findings_)
                                            : infer_activation(step, program_, findings_);
    if (!type) return;
    step.type = *type;
  }
  for (const LossPlan& plan : program_.losses) check_term(plan);
  if (findings_.any()) return;  // a metric would say the same again
  for (const LossPlan& plan : program_.metrics) check_term(plan);
}

}  // namespace limen::language
