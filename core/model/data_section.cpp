// `data`: handed on as plain values; what they may be is known where data is loaded.
#include <fmt/format.h>

#include "model/program.hpp"

namespace limen::language {
namespace {

constexpr std::size_t kMostValues = 20'000;

// Every value carries its place, so their number is limited where the section is read.
DataValue plain(const Node& node) {
  DataValue out;
  out.at = node.at.span();
  switch (node.kind) {
    case Node::Kind::null:
      break;
    case Node::Kind::boolean:
      out.value = node.flag;
      break;
    case Node::Kind::integer:
      out.value = node.integer;
      break;
    case Node::Kind::real:
      out.value = node.real;
      break;
    case Node::Kind::text:
      out.value = node.text;
      break;
    case Node::Kind::list: {
      DataValue::List list;
      for (const Node& item : node.items) list.push_back(plain(item));
      out.value = std::move(list);
      break;
    }
    case Node::Kind::map: {
      DataValue::Map map;
      for (const Entry& entry : node.entries) {
        map.push_back({entry.key, entry.key_at.span(), plain(entry.value)});
      }
      out.value = std::move(map);
      break;
    }
  }
  return out;
}

}  // namespace

void read_data(const Node& node, Program& program, Findings& findings) {
  if (count_nodes(node) > kMostValues) {
    add_help(
        findings.error("E0007", fmt::format("`data` has more than {} values", kMostValues), node),
        "put the values into a file, and name the file");
    return;
  }
  try {
    program.data = read_data_spec(plain(node));
  } catch (const Error& error) {
    findings.add(error, "correct the value; `limen list datasets` shows what each one takes");
  }
}

void check_data(Program& program, Findings& findings) {
  if (!program.data) return;
  std::vector<DataInput> inputs;
  for (const InputPlan& plan : program.inputs) {
    DataInput input{plan.spec.name, plan.spec.dtype, {}, plan.spec.at};
    for (const Dim& dim : plan.spec.dims) input.dims.push_back(dim.symbol.empty() ? dim.size : -1);
    inputs.push_back(std::move(input));
  }
  try {
    check_data_inputs(*program.data, inputs);
  } catch (const Error& error) {
    findings.add(error, "correct the value; `limen list datasets` shows what each one takes");
  }
}

}  // namespace limen::language
