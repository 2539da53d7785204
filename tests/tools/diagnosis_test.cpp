// The mistake that a report guesses at, for the named mutants of the self-test. The words were
// written from what is wrong with each, before the guess was looked at.
#include <map>

#include "tools/support/program.hpp"

namespace limen::test {
namespace {

using ::testing::HasSubstr;

struct Mutant {
  const char* library;
  const char* op;
  const char* words;  // that a right guess must hold
};

constexpr Mutant kMutants[] = {
    {"element_wise", "m01_sigmoid_plus", "y + y^2"},
    {"element_wise", "m02_sigmoid_of_x",
     "x - x^2: the formula for the output y was given the input x"},
    {"element_wise", "m03_sigmoid_of_y", "the derivative at y"},
    {"element_wise", "m04_tanh_not_squared",
     "computes 1 - y from the output y; the derivative is 1 - y^2"},
    {"element_wise", "m05_tanh_of_x",
     "1 - x^2: the formula for the output y was given the input x"},
    {"element_wise", "m06_tanh_sign", "the wrong sign"},
    {"element_wise", "m07_relu_no_upstream", "ignores the upstream"},
    {"element_wise", "m09_relu_returns_x",
     "for x > 0 it returns x (the input) instead of the derivative 1"},
    {"element_wise", "m10_leaky_relu_input",
     "for x >= 0 it returns x (the input) instead of the derivative 1"},
    {"element_wise", "m11_leaky_relu_forgotten",
     "for x <= 0 it returns 0 instead of the derivative 0.01"},
    {"element_wise", "m13_elu_y",
     "it returns y (the output) instead of the derivative, which is y + 1.5"},
    {"element_wise", "m14_elu_no_alpha",
     "for x < 0 it returns the derivative times 0.666666667: a factor 1.5 is missing"},
    {"element_wise", "m15_selu_no_lambda", "a factor 1.05070099 is missing"},
    {"element_wise", "m16_softplus_mirrored", "the derivative at -x"},
    {"element_wise", "m17_softplus_extra_beta", "a factor 3 is too many"},
    {"element_wise", "m18_silu_lost_x", "lost its factor x"},
    {"element_wise", "m19_silu_only_sigmoid",
     "it returns sigmoid(x): the term x sigmoid'(x) is missing"},
    {"element_wise", "m21_gelu_no_pdf", "the term x times the normal density at x is missing"},
    {"element_wise", "m22_gelu_tanh_constant", "a constant with too few digits"},
    {"element_wise", "m24_hardsigmoid_slope", "times 1.2"},
    {"element_wise", "m25_hardsigmoid_outside",
     "for |x| > 3 it returns 0.166667 where the function is flat"},
    {"element_wise", "m27_hardtanh_inverted", "the mask is inverted"},
    {"element_wise", "m28_relu6_no_top", "for x > 6 it returns 1 where the function is flat"},
    {"element_wise", "m29_softsign_not_squared", "a square is lost"},
    {"element_wise", "m30_abs_always_one",
     "for x < 0 it returns the derivative with the wrong sign"},
    {"element_wise", "m31_square_no_two", "times 1/2"},
    {"element_wise", "m32_upstream_twice", "the upstream gradient is squared"},
    {"element_wise", "m34_sigmoid_cut", "for |x| > 6 it returns 0"},
    {"element_wise", "m35_sigmoid_overflow", "exp(-x) overflows to infinity"},
    {"element_wise", "m36_silu_overflow", "exp(-x) overflows to infinity"},
    {"element_wise", "m37_additive", "adds the constant 0.0001"},
    {"element_wise", "m39_float_literal", "a float in the double kernel"},
    {"element_wise", "m40_softshrink_dead_zone",
     "for |x| < 0.5 it returns 1 where the function is flat"},
    {"element_wise", "m42_relu_two_at_zero", "backward returns 2, which is no slope of it"},
    {"element_wise", "m43_abs_nan_at_zero", "x / |x|"},
    {"element_wise", "m44_nan_at_zeros", "y / x"},
    {"element_wise", "m45_clipped", "clipped to [-1, 1]"},
    {"element_wise", "m47_relative_1e7", "times 1.0000001"},
    {"element_wise", "m49_float_only_coarse", "only in float32"},
    {"element_wise", "m50_float_only_overflow", "only in float32"},
    {"element_wise", "m51_hardtanh_swapped", "it returns 0 instead of the derivative 1"},
    {"element_wise", "m52_x_abs_x_signed",
     "for x < 0 it returns the derivative with the wrong sign"},
    {"element_wise", "m53_wrong_at_one", "only at x = 1 exactly it returns 1 instead of 2"},
    {"element_wise", "m55_logsigmoid_zero", "only at x = 0 exactly it returns 0 instead of 0.5"},
    {"rows", "r01_softmax_diagonal", "only the diagonal of the Jacobian"},
    {"rows", "r02_softmax_copies", "copies the upstream"},
    {"rows", "r03_softmax_lost_factor", "a sum over the row, is wrong or has lost a factor"},
    {"rows", "r07_log_softmax_no_sum", "a sum over the row"},
    {"rows", "r09_centred_no_mean", "a sum over the row"},
    {"rows", "r10_softmax_zero", "it returns 0"},
    {"rows", "r12_max_all_ties", "where inputs are equal (ties)"},
    {"rows", "r13_glu_swapped", "swapped"},
    {"rows", "r14_glu_lost_slope", "y (the output) instead of the derivative"},
    {"rows", "r15_softmax_temperature", "a factor 2 is too many"},
    {"rows", "r17_logsumexp_overflow", "Subtract the row's maximum"},
    {"rows", "r19_sparsemax_row_before", "the row before"},
    {"params", "p01_prelu_sums_all", "over all elements"},
    {"params", "p02_prelu_last_only", "only the last element counts"},
    {"params", "p04_prelu_of_y", "the output y stands where the input x belongs"},
    {"params", "p05_prelu_overwrites", "dw is overwritten"},
    {"params", "p08_swish_beta_lost_x", "lost a factor x"},
    {"params", "p09_prelu_mask_of_y", "the mask"},
    {"params", "p11_prelu_one_slot", "not all in one slot"},
    {"params", "p12_positive_no_chain", "goes through another function (softplus"},
    {"params", "p20_prelu_mean", "the mean over the elements"},
    {"params", "p21_prelu_in_float", "kept in float"},
    {"params", "p22_prelu_default", "read from `hyper`"},
    {"params", "p23_prelu_default_backward", "read from `hyper`"},
    {"memory", "s01_state_overwritten", "the state or mask that forward saved"},
    {"memory", "s02_static_scratch", "static or global"},
    {"memory", "s03_running_mean", "a running statistic"},
    {"memory", "s04_never_adds", "must add to dx"},
    {"memory", "s05_always_adds", "it adds to what dx held"},
    {"memory", "s06_in_place", "after the one that shares its memory was written"},
    {"memory", "s08_writes_behind", "one step too far"},
    {"memory", "s09_writes_before", "an index is below 0"},
    {"memory", "s10_tight_rows", "row_stride"},
    {"memory", "s14_leaves_masked", "never written"},
    {"memory", "s15_aligned_loads", "a multiple of its size"},
    {"memory", "s18_hangs_on_nan", "a loop that does not end"},
    {"memory", "s21_by_address", "off a 64-byte boundary"},
    {"memory", "s23_exits", "it calls exit()"},
    {"memory", "s30_reads_behind", "the tail is loaded as a whole vector"},
    {"memory", "s33_writes_x", "writes to an operand that is an input"},
    {"memory", "s34_leaves_tail", "never written"},
    {"memory", "s38_flushes_to_zero", "the processor's modes"},
    {"memory", "s40_reads_y", "backward reads y"},
    {"orders", "j01_transposed", "transposed"},
    {"orders", "j02_half_tangent", "forward mode is not the product"},
    {"orders", "j03_no_second", "it returns 0"},
    {"orders", "j04_wrong_by_upstream", "upstream"},
    {"contracts", "j10_absolute_upstream", "must be linear in dy and in gx"},
    {"contracts", "j12_gy_adds", "about dx alone"},
    {"contracts", "j13_needs_gy", "do not return early"},
    {"contracts", "j14_follows_gy", "test each pointer before it is used"},
    {"contracts", "j19_clips_y", "what the forward kernel writes"},
    {"contracts", "s50_last_made", "take it from the tile's `instance`"},
    {"contracts", "s51_last_slopes", "where the next forward overwrites them"},
    {"contracts", "s52_no_mask_in_evaluation", "must write all of the state"},
    {"contracts", "s53_evaluation_when_adding", "test each flag by itself"},
    {"draws", "t01_dropout_draws_again", "draws anew"},
    {"draws", "t03_dropout_in_evaluation", "LIMEN_TILE_EVAL"},
    {"draws", "t05_dropout_ignores_seed", "the seed is ignored"},
    {"draws", "t06_noise_lost_epsilon", "dy alone"},
    {"draws", "t21_dropout_global", "a generator"},
    {"draws", "t22_dropout_unscaled", "a factor 1.33333333 is missing"},
    {"hostile", "h01_band_sign", "the wrong sign"},
    {"hostile", "h02_band_float_only", "only in float32"},
    {"hostile", "h03_factor_1e6", "times 1.000001"},
    {"hostile", "h04_factor_below_zero", "times 1.000000001"},
    {"hostile", "h05_steep_half", "times 1/2"},
    {"hostile", "h06_fast_phase", "a phase"},
    {"hostile", "h07_fast_drift", "too few digits"},
    {"hostile", "h08_tiny_scale", "a factor 1.001 is too many"},
    {"hostile", "h09_power_sign", "for x < 0 it returns the derivative with the wrong sign"},
    {"hostile", "h10_power_dead", "for |x| < 0.001 it returns 0"},
    {"hostile", "h11_x_log_x", "minus 1: a constant is missing"},
    {"hostile", "h12_undeclared_through", "it returns 1 where the function is flat"},
    {"hostile", "h13_threshold_small", "1e-06] it returns 0 instead of the derivative 1"},
    {"hostile", "h14_threshold_near", "for |x| > 1 it returns 1 where the function is flat"},
    {"hostile", "h15_beside_kink", "times 1/3"},
    {"hostile", "h16_at_seventeen", "only at x = 17 exactly"},
    {"hostile", "h17_at_a_tenth", "only at x = 0.7 exactly"},
    {"hostile", "h18_far_sine", "too few digits"},
    {"hostile", "h19_clips_large", "clipped to [-100, 100]"},
    {"hostile", "h20_flushes_small", "it returns 0"},
    {"hostile", "h21_negative_upstream", "not proportional to the upstream"},
    {"hostile", "h22_pole", "for x < 0 it returns y (the output)"},
    {"hostile", "h23_sawtooth", "for x > 2 it returns the derivative times 1/2"},
    {"hostile", "h24_far_out", "it returns 0 instead of the derivative 1"},
    {"hostile", "h25_close_in", "for |x| < 1e-15 it returns 0"},
    {"hostile", "h26_negative_zero", "only at x = -0 exactly"},
    {"hostile", "h27_narrow_band", "for x in [0.5, 0.502] it returns the derivative times 1.01"},
    {"hostile", "h28_cube_root_sign", "for x < 0 it returns the derivative with the wrong sign"},
    {"hostile", "h29_tangent_of_x", "the formula for the output y was given the input x"},
    {"hostile", "h30_float_factor", "a factor 1.0099"},
    {"hostile", "h31_float_cut", "it returns 0"},
    {"hostile", "h32_float_at_kink", "for x > 6 it returns 1 where the function is flat"},
    {"hostile", "h33_float_two_at_zero", "backward returns 2, which is no slope of it"},
    {"hostile", "h34_float_band", "the wrong sign"},
    {"hostile", "h35_float_nan", "exp(-x) overflows to infinity"},
    {"hostile", "h36_float_of_y", "1 - y from the output y"},
    {"hostile", "h37_double_nan_at_zero", "at x = 0 it divides by 0"},
    {"hostile", "h38_double_constant", "too few digits"},
    {"hostile", "h40_avx_float_far", "the f32 kernel for x86-64-v3"},
    {"hostile", "h41_avx_double_slightly", "close, not equal"},
    {"hostile", "h42_avx_tail", "the tail of a vector loop"},
    {"hostile", "h43_of_y_band", "the wrong sign"},
    {"hostile", "h44_of_y_float_band", "the wrong sign"},
    {"hostile", "h45_avx_accumulating", "it must add to dx"},
    {"hostile", "h46_avx_forward", "forward"},
    {"hostile", "h50_scratch_of_1024", "where its tile begins"},
    {"hostile", "h51_softmax_ragged", "a sum over the row"},
    {"hostile", "h52_softmax_float_sum", "sums that are kept in float"},
    {"hostile", "h53_rms_no_mean", "a sum over the row"},
    {"hostile", "h54_softmax_block", "a sum over the row"},
    {"hostile", "h55_softmax_long_float", "a sum over the row"},
    {"hostile", "h60_float_beside_slope", "it returns 1e-06 where the function is flat"},
    {"hostile", "h61_threshold_tiny", "1e-10] it returns 0 instead of the derivative 1"},
    {"hostile", "h62_forward_far", "forward"},
    {"hostile", "h63_float_soft_kink", "for |x| < 2e-05 it returns the constant 0.5"},
    {"hostile", "h64_float_late_kink", "for x in"},
    {"hostile", "h65_band_on_stairs", "it returns 9"},
    {"hostile", "h66_float_late_step", "forward"},
    {"explained", "e01_silu_plus", "as if it had the wrong sign"},
    {"explained", "e02_quick_gelu", "in the second term a factor 1.702 is missing"},
    {"explained", "e03_no_product_rule", "the other term of the product rule is missing"},
    {"explained", "e04_no_chain_rule", "times the derivative / x"},
    {"explained", "e05_rounded_mask", "as if x were rounded to a float"},
    {"explained", "e06_series", "times x is missing"},
    {"explained", "e07_slightly_far", "close, not equal"},
    {"explained", "e08_even_tail", "the place in the tile"},
    {"explained", "e09_kink_elsewhere", "list of kinks has no entry for this x"},
    {"explained", "e10_softmax_others", "only the diagonal of the Jacobian is wrong"},
    {"explained", "e11_cumulative_product", "not finite there: 0 / 0"},
    {"explained", "e12_draws_in_secret", "LIMEN_OP_STOCHASTIC"},
    {"explained", "e13_stochastic_rounding", "LIMEN_OP_SURROGATE"},
    {"explained", "e14_tail_rounds", "only the last bits differ"},
    {"explained", "e20_lost_sign", "for x < 0 have the wrong sign"},
    {"explained", "e21_clipped_terms", "clipped to [-0.25, 0.25]"},
    {"explained", "e22_swapped_slots", "what belongs to dw[1], the gradient of \"b\""},
    {"explained", "e23_no_exponent", "a factor exp(a)"},
    {"explained", "e24_default_in_dw", "read from `hyper`"},
    {"explained", "e25_first_only", "only the first element counts"},
    {"explained", "e26_other_mask", "the mask is inverted"},
    {"explained", "e28_branch_by_y", "the branch is chosen by it"},
    {"explained", "e29_second_without_dy", "a factor dy = 0.75 is missing"},
};

class Diagnosis : public Program {
 protected:
  // What is said of an op first: not where another check is the cause.
  std::string guess(const std::string& library, const std::string& op) {
    const auto [at, fresh] = reports_.try_emplace(library);
    if (fresh) {
      at->second = Json::parse(limen({"gradcheck", LIMEN_SELFTEST_PLUGINS "/" + library + ".so",
                                      "--json", "--timeout", "1"})
                                   .out);
    }
    std::string all;
    for (const Json& check : at->second["checks"]) {
      const std::string name = check["op"], likely = check["likely"];
      if (name != op && !name.starts_with(op + "{")) continue;
      if (!likely.empty() && !likely.starts_with("perhaps only")) return likely;
    }
    return {};
  }

 private:
  std::map<std::string, Json> reports_;
};

// One test, because the reports are dear.
TEST_F(Diagnosis, GuessesFourOfFiveNamedMistakesAndExplainsTheTextbooks) {
  int right = 0, unexplained = 0;
  std::string misses;
  for (const Mutant& mutant : kMutants) {
    const std::string text = guess(mutant.library, mutant.op);
    if (text.find(mutant.words) != std::string::npos) {
      ++right;
    } else {
      unexplained += text.empty() ? 1 : 0;
      misses += std::string(mutant.op) + ": " + text + "\n";
    }
  }
  const int all = std::size(kMutants);
  RecordProperty("right", right);
  EXPECT_GE(right * 100, 80 * all) << right << " of " << all << " right\n" << misses;
  // A wrong guess is worse than none.
  EXPECT_LE((all - right - unexplained) * 100, 5 * all) << misses;
  std::cout << right << " of " << all << " guesses are right; not so:\n" << misses;
  // What a beginner reads of the five best known mistakes.
  EXPECT_EQ(guess("element_wise", "m10_leaky_relu_input"),
            "for x >= 0 it returns x (the input) instead of the derivative 1: `x >= 0 ? x : 0.01` "
            "is the function's own branch with its input left in; it should be "
            "`x >= 0 ? 1 : 0.01`");
  EXPECT_EQ(guess("rows", "r01_softmax_diagonal"),
            "only the diagonal of the Jacobian is there: each output is treated as if it depended "
            "on its own input alone, but they share a sum over the row. For softmax: "
            "dx = y * (dy - sum(dy * y)), not dy * y * (1 - y)");
  EXPECT_EQ(guess("memory", "s01_state_overwritten"),
            "backward changes what it starts from (the state or mask that forward saved, or memory "
            "of its own), so the same call gives another gradient the second time. Read the saved "
            "numbers, and put the product with dy into dx only");
  const std::string overflow = guess("element_wise", "m35_sigmoid_overflow");
  EXPECT_THAT(overflow, HasSubstr("for x < -709.8"));
  EXPECT_THAT(overflow, HasSubstr("exp(-x) overflows to infinity there, and infinity / infinity or "
                                  "0 * infinity is NaN. Compute it with exp(-|x|), which cannot "
                                  "overflow"));
  EXPECT_EQ(guess("element_wise", "m42_relu_two_at_zero"),
            "at x = 0 the function has a corner, with slope 0 on the left and 1 on the right, and "
            "backward returns 2, which is no slope of it: only numbers from 0 to 1 are. Let that "
            "point belong to one of the branches, as in `x > 0 ? 1 : 0`");
}

}  // namespace
}  // namespace limen::test
