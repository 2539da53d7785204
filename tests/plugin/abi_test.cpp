// The layout of limen/plugin.h: what a plugin compiled years ago relies on.
#include <limen/plugin.h>

#include <gtest/gtest.h>

#include <cstddef>
#include <type_traits>

namespace limen {
namespace {

TEST(PluginAbi, StructsKeepTheirSizes) {
  EXPECT_EQ(sizeof(limen_error), 24u);
  EXPECT_EQ(sizeof(limen_ext), 24u);
  EXPECT_EQ(sizeof(limen_param), 64u);
  EXPECT_EQ(sizeof(limen_kink), 32u);
  EXPECT_EQ(sizeof(limen_facts), 80u);
  EXPECT_EQ(sizeof(limen_golden), 48u);
  EXPECT_EQ(sizeof(limen_tile), 176u);
  EXPECT_EQ(sizeof(limen_kernel), 48u);
  EXPECT_EQ(sizeof(limen_tensor), 40u);
  EXPECT_EQ(sizeof(limen_call), 96u);
  EXPECT_EQ(sizeof(limen_op), 208u);
  EXPECT_EQ(sizeof(limen_host), 48u);
  EXPECT_EQ(sizeof(limen_plugin), 80u);
  EXPECT_EQ(sizeof(limen_note_abi), 28u);
}

TEST(PluginAbi, FieldsKeepTheirPlaces) {
  EXPECT_EQ(offsetof(limen_tile, hyper), 56u);
  EXPECT_EQ(offsetof(limen_tile, x), 72u);
  EXPECT_EQ(offsetof(limen_tile, dx), 96u);
  EXPECT_EQ(offsetof(limen_tile, gy), 128u);
  EXPECT_EQ(offsetof(limen_tile, scratch), 168u);
  EXPECT_EQ(offsetof(limen_kernel, run), 40u);
  EXPECT_EQ(offsetof(limen_op, kind), 88u);
  EXPECT_EQ(offsetof(limen_op, params), 120u);
  EXPECT_EQ(offsetof(limen_op, kernels), 136u);
  EXPECT_EQ(offsetof(limen_op, execute), 200u);
  EXPECT_EQ(offsetof(limen_plugin, ops), 72u);
  EXPECT_EQ(offsetof(limen_param, def), 40u);
  EXPECT_EQ(offsetof(limen_facts, accuracy), 56u);
}

TEST(PluginAbi, StructsArePlainData) {
  EXPECT_TRUE(std::is_trivial_v<limen_tile> && std::is_standard_layout_v<limen_tile>);
  EXPECT_TRUE(std::is_trivial_v<limen_op> && std::is_standard_layout_v<limen_op>);
}

TEST(PluginAbi, ArraysAreSteppedByTheSizeTheirProducerWrote) {
  struct LaterKernel {  // a later version appended a field
    limen_kernel kernel;
    std::uint64_t added[2];
  };
  LaterKernel table[2] = {};
  for (LaterKernel& entry : table) entry.kernel.size = sizeof(LaterKernel);
  table[1].kernel.role = LIMEN_BACKWARD;
  EXPECT_EQ(LIMEN_AT(limen_kernel, &table[0].kernel, 1)->role, LIMEN_BACKWARD);
}

TEST(PluginAbi, FieldsBeyondAProducersSizeAreNotRead) {
  limen_facts facts{};
  facts.size = offsetof(limen_facts, accuracy);
  EXPECT_TRUE(LIMEN_HAS(limen_facts, &facts, gain));
  EXPECT_FALSE(LIMEN_HAS(limen_facts, &facts, accuracy));
}

}  // namespace
}  // namespace limen
