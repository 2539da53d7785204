// The names, aliases, parameters and defaults that models rely on.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "family/kernels.hpp"

namespace limen::test {
namespace {

struct Entry {
  std::string name;
  std::vector<std::string> aliases;
  std::map<std::string, double> defaults;
};

const std::vector<Entry>& family() {
  static const std::vector<Entry> kAll = {
      {"identity", {"linear", "none"}, {}},
      {"step", {"heaviside"}, {{"surrogate", 0}}},
      {"sigmoid", {"logistic"}, {}},
      {"tanh", {}, {}},
      {"relu", {}, {}},
      {"leaky_relu", {}, {{"alpha", 0.01}}},
      {"prelu", {}, {{"alpha", 0.25}}},
      {"rrelu", {}, {{"lower", 1.0 / 8}, {"upper", 1.0 / 3}}},
      {"relu6", {}, {}},
      {"thresholded_relu", {}, {{"alpha", 1}}},
      {"squared_relu", {}, {}},
      {"elu", {}, {{"alpha", 1}}},
      {"selu", {}, {}},
      {"celu", {}, {{"alpha", 1}}},
      {"gelu", {}, {{"approximate", 0}}},
      {"quick_gelu", {}, {}},
      {"silu", {"swish"}, {{"beta", 1}}},
      {"mish", {}, {}},
      {"softplus", {}, {{"beta", 1}}},
      {"softsign", {}, {}},
      {"log_sigmoid", {"logsigmoid"}, {}},
      {"hard_sigmoid", {"hardsigmoid"}, {{"alpha", 1.0 / 6}, {"beta", 0.5}}},
      {"hard_swish", {"hardswish"}, {}},
      {"hard_tanh", {"hardtanh"}, {{"min", -1}, {"max", 1}}},
      {"soft_shrink", {"softshrink"}, {{"lambda", 0.5}}},
      {"hard_shrink", {"hardshrink"}, {{"lambda", 0.5}}},
      {"tanh_shrink", {"tanhshrink"}, {}},
      {"snake", {}, {{"alpha", 1}}},
      {"sine", {}, {{"omega", 30}}},
      {"gaussian", {}, {}},
      {"arctan", {"atan"}, {}},
      {"softmax", {}, {{"temperature", 1}}},
      {"log_softmax", {"logsoftmax"}, {}},
      {"softmin", {}, {}},
      {"sparsemax", {}, {}},
      {"gumbel_softmax", {}, {{"tau", 1}}},
      {"glu", {}, {}},
      {"reglu", {}, {}},
      {"geglu", {}, {}},
      {"swiglu", {}, {}},
      {"maxout", {}, {{"axis", -1}, {"pieces", 2}}},
      {"crelu", {}, {}},
      {"hard_max", {"hardmax"}, {}},
  };
  return kAll;
}

TEST(FamilyNames, EveryNameAndAliasIsFoundWithItsDefaults) {
  for (const Entry& entry : family()) {
    SCOPED_TRACE(entry.name);
    const Activation a = shipped().find(entry.name);
    EXPECT_EQ(a.name(), entry.name);
    EXPECT_EQ(a.plugin().name(), "org.limen." + entry.name);
    for (const std::string& alias : entry.aliases)
      EXPECT_EQ(shipped().find(alias).name(), entry.name);
    EXPECT_EQ(a.axis(), -1);
    std::map<std::string, double> defaults;
    for (const ParamInfo& p : a.params()) {
      defaults[std::string(p.name)] = p.def;
      EXPECT_FALSE(p.doc.empty()) << p.name;
    }
    EXPECT_EQ(defaults, entry.defaults);
  }
}

TEST(FamilyNames, EveryOpSaysWhatItIs) {
  std::set<std::string> known;
  for (const Entry& entry : family()) known.insert(entry.name);
  for (const Activation& a : shipped().activations()) {
    SCOPED_TRACE(a.name());
    EXPECT_TRUE(known.contains(std::string(a.name()))) << "a new op belongs in this table";
    const limen_op& op = a.op();
    for (const char* text : {op.formula, op.latex, op.summary}) {
      EXPECT_TRUE(text != nullptr && *text != '\0');
    }
    const bool plain = op.arity == 1 && op.outputs == 1 && op.kind != LIMEN_GENERAL;
    if (!plain || (op.flags & LIMEN_OP_STOCHASTIC) != 0) continue;
    ASSERT_GT(op.n_goldens, 0u);
    EXPECT_GE(op.goldens->n, 3u);
    EXPECT_NE(op.goldens->source, nullptr);
  }
}

// The table of plugins/FAMILY.md, as the libraries tell it.
std::string family_table() {
  std::string text = "| Name | Formula | Parameters |\n|---|---|---|\n";
  for (const Activation& a : shipped().activations()) {
    text += "| `" + std::string(a.name()) + "`";
    for (const std::string_view alias : a.aliases()) text += " `" + std::string(alias) + "`";
    text += " | `" + std::string(a.op().formula) + "` | ";
    std::string separator;
    for (const ParamInfo& p : a.params()) {
      std::ostringstream value;
      if (p.choices.empty()) {
        value << p.def;
      } else {
        value << p.choices[static_cast<std::size_t>(p.def)];
      }
      text += separator + "`" + std::string(p.name) + "` " + value.str();
      if (p.flags & LIMEN_PF_LEARNED) text += ", learned";
      if ((p.flags & LIMEN_PF_TRAINABLE) && !(p.flags & LIMEN_PF_LEARNED))
        text += ", may be learned";
      separator = "; ";
    }
    text += " |\n";
  }
  return text;
}

TEST(FamilyNames, TheTableInTheDocumentationIsWhatTheLibrariesSay) {
  std::ifstream file(LIMEN_SOURCE_DIR "/plugins/FAMILY.md");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string table = family_table();
  EXPECT_NE(text.find(table), std::string::npos) << "plugins/FAMILY.md should contain\n" << table;
}

}  // namespace
}  // namespace limen::test
