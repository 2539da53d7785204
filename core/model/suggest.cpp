#include "model/suggest.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "base/text.hpp"

namespace limen::language {
namespace {

struct Synonym {
  std::string_view ours, theirs;
};

// Theirs: lower case, without `_` and `-`, between spaces.
constexpr auto kSynonyms = std::to_array<Synonym>({
    {"dense", " linear fc fullyconnected innerproduct "},
    {"concat", " cat concatenate "},
    {"reduce_sum", " sum "},
    {"reduce_mean", " mean "},
    {"reshape", " view "},
    {"transpose", " permute "},
    {"sigmoid", " logistic "},
    {"step", " heaviside steplr "},
    {"leaky_relu", " lrelu "},
    {"units", " outfeatures features size width neurons "},
    {"bias", " usebias "},
    {"init", " kernelinitializer weightinit "},
    {"bias_init", " biasinitializer "},
    {"rate", " p prob probability "},
    {"axis", " dim "},
    {"alpha", " negativeslope slope rho "},
    {"f32", " float32 float "},
    {"f64", " float64 double "},
    {"i64", " int64 long "},
    {"i32", " int int32 "},
    {"u8", " uint8 byte "},
    {"schedule", " lrscheduler scheduler "},
    {"lr", " learningrate rate "},
    {"weight_decay", " l2 wd decay "},
    {"batch", " batchsize "},
    {"epochs", " numepochs nepochs maxepochs "},
    {"clip", " gradientclip gradclip "},
    {"norm", " maxnorm "},
    {"early_stop", " earlystopping "},
    {"watch", " monitor "},
    {"optimizer", " opt optimiser "},
    {"beta1", " betas "},
    {"eps", " epsilon "},
    {"sgd", " momentumsgd "},
    {"graph", " layers model network architecture "},
    {"vars", " variables params "},
    {"loss", " criterion objective losses "},
    {"train", " training trainer "},
    {"data", " dataset "},
    {"limen", " version "},
    {"softmax_cross_entropy",
     " crossentropy crossentropyloss categoricalcrossentropy sparsecategoricalcrossentropy nll "},
    {"mse", " meansquarederror mseloss l2loss "},
    {"huber", " smoothl1 huberloss "},
    {"binary_cross_entropy", " bce bcewithlogits "},
    {"accuracy", " acc "},
    {"top_k", " topk "},
    {"he_normal", " kaiming he "},
    {"xavier_uniform", " xavier glorot "},
    {"lecun_normal", " lecun "},
    {"normal", " gaussian randn "},
    {"cosine", " cosineannealing "},
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
  const std::string plain = folded(word), between = " " + plain + " ";
  for (const Synonym& synonym : kSynonyms) {
    if (synonym.theirs.find(between) != std::string_view::npos && contains(known, synonym.ours)) {
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
