#include "model/suggest.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "base/text.hpp"

namespace limen::language {
namespace {

struct Synonym {
  std::string_view theirs, ours;
};

// Lower case, without `_` and `-`.
constexpr auto kSynonyms = std::to_array<Synonym>({
    {"linear", "dense"},
    {"fc", "dense"},
    {"fullyconnected", "dense"},
    {"innerproduct", "dense"},
    {"cat", "concat"},
    {"concatenate", "concat"},
    {"plus", "add"},
    {"sum", "reduce_sum"},
    {"mean", "reduce_mean"},
    {"view", "reshape"},
    {"permute", "transpose"},
    {"logistic", "sigmoid"},
    {"heaviside", "step"},
    {"lrelu", "leaky_relu"},
    {"outfeatures", "units"},
    {"features", "units"},
    {"size", "units"},
    {"width", "units"},
    {"neurons", "units"},
    {"usebias", "bias"},
    {"kernelinitializer", "init"},
    {"weightinit", "init"},
    {"biasinitializer", "bias_init"},
    {"p", "rate"},
    {"prob", "rate"},
    {"probability", "rate"},
    {"dim", "axis"},
    {"kernelsize", "kernel"},
    {"negativeslope", "alpha"},
    {"slope", "alpha"},
    {"float32", "f32"},
    {"float", "f32"},
    {"float64", "f64"},
    {"double", "f64"},
    {"float16", "f16"},
    {"half", "f16"},
    {"int64", "i64"},
    {"long", "i64"},
    {"int", "i32"},
    {"int32", "i32"},
    {"uint8", "u8"},
    {"byte", "u8"},
    {"lrscheduler", "schedule"},
    {"scheduler", "schedule"},
    {"learningrate", "lr"},
    {"rate", "lr"},
    {"l2", "weight_decay"},
    {"wd", "weight_decay"},
    {"decay", "weight_decay"},
    {"batchsize", "batch"},
    {"numepochs", "epochs"},
    {"nepochs", "epochs"},
    {"maxepochs", "epochs"},
    {"maxsteps", "steps"},
    {"iterations", "steps"},
    {"gradientclip", "clip"},
    {"gradclip", "clip"},
    {"maxnorm", "norm"},
    {"earlystopping", "early_stop"},
    {"monitor", "watch"},
    {"opt", "optimizer"},
    {"optimiser", "optimizer"},
    {"betas", "beta1"},
    {"epsilon", "eps"},
    {"rho", "alpha"},
    {"momentumsgd", "sgd"},
    {"layers", "graph"},
    {"model", "graph"},
    {"network", "graph"},
    {"architecture", "graph"},
    {"variables", "vars"},
    {"params", "vars"},
    {"criterion", "loss"},
    {"objective", "loss"},
    {"losses", "loss"},
    {"training", "train"},
    {"trainer", "train"},
    {"dataset", "data"},
    {"version", "limen"},
    {"description", "doc"},
    {"crossentropy", "softmax_cross_entropy"},
    {"crossentropyloss", "softmax_cross_entropy"},
    {"categoricalcrossentropy", "softmax_cross_entropy"},
    {"sparsecategoricalcrossentropy", "softmax_cross_entropy"},
    {"nll", "softmax_cross_entropy"},
    {"meansquarederror", "mse"},
    {"mseloss", "mse"},
    {"l2loss", "mse"},
    {"smoothl1", "huber"},
    {"huberloss", "huber"},
    {"bce", "binary_cross_entropy"},
    {"bcewithlogits", "binary_cross_entropy"},
    {"acc", "accuracy"},
    {"topk", "top_k"},
    {"kaiming", "he_normal"},
    {"he", "he_normal"},
    {"xavier", "xavier_uniform"},
    {"glorot", "xavier_uniform"},
    {"lecun", "lecun_normal"},
    {"gaussian", "normal"},
    {"randn", "normal"},
    {"zero", "zeros"},
    {"cosineannealing", "cosine"},
    {"steplr", "step"},
});

std::string folded(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c != '_' && c != '-') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

bool contains(std::span<const std::string> known, std::string_view word) {
  return std::find(known.begin(), known.end(), word) != known.end();
}

}  // namespace

std::string suggest(std::string_view word, std::span<const std::string> known) {
  const std::string plain = folded(word);
  for (const Synonym& synonym : kSynonyms) {
    if (plain == synonym.theirs && contains(known, synonym.ours)) {
      return fmt::format("did you mean `{}`?", synonym.ours);
    }
  }
  for (const std::string& candidate : known) {
    if (folded(candidate) == plain) return fmt::format("did you mean `{}`?", candidate);
  }
  return did_you_mean(word, known);
}

std::string known_list(std::string_view head, std::vector<std::string> known) {
  std::sort(known.begin(), known.end());
  return fmt::format("{}: {}", head, join(known));
}

}  // namespace limen::language
