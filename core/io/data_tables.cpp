// What a `data` section can say: data sets, sources and their arguments.
#include <limits>

#include <limen/data_spec.hpp>

namespace limen {
namespace {

using Type = DataArgType;

constexpr double kAny = std::numeric_limits<double>::infinity();
constexpr double kMostExamples = 1e7, kMostDigits = 1e6, kMostClasses = 100;

constexpr std::string_view kImageFields[] = {"image", "label"};
constexpr std::string_view kPointFields[] = {"x", "label"};

constexpr DataArgInfo kFields{"fields", Type::renames, "",
                              "input: field, for inputs of other names"};
constexpr DataArgInfo kVal{"val", Type::share, "0", "examples for `val`, off the end of `train`"};
constexpr DataArgInfo kSeed{"seed", Type::count, "", "instead of the model's", false, 0, 9e15};
constexpr DataArgInfo kNoise{"noise", Type::number, "0.1", "standard deviation of the points"};
constexpr DataArgInfo kExamples{"n",   Type::count, "1000",       "examples to train with",
                                false, 1,           kMostExamples};
constexpr DataArgInfo kFifth{
    "test", Type::count, "", "examples to test with; a fifth of `n`", false, 0, kMostExamples};
constexpr DataArgInfo kHeader{"header", Type::flag, "",
                              "whether the first row holds names; seen from it if not said"};
constexpr DataArgInfo kDelimiter{"delimiter", Type::text, ",", "the character between cells"};
constexpr DataArgInfo kScale{"scale", Type::number, "1", "every value times this",
                             false,   -kAny,        kAny};
constexpr DataArgInfo kOffset{"offset", Type::number, "0", "and plus this", false, -kAny, kAny};
constexpr DataArgInfo kFlatten{"flatten", Type::flag, "false", "one axis for each example"};
constexpr DataArgInfo kReshape{"reshape", Type::sizes, "", "sizes of an example"};
constexpr DataArgInfo kFile{"file", Type::text, "", "relative to `root`", true};

constexpr DataArgInfo kMnistArgs[] = {kVal, kFields};
constexpr DataArgInfo kDigitsArgs[] = {
    {"train", Type::count, "60000", "digits to train with", false, 1, kMostDigits},
    {"test", Type::count, "10000", "digits to test with", false, 0, kMostDigits},
    kVal,
    kSeed,
    kFields};
constexpr DataArgInfo kPointArgs[] = {kExamples, kNoise, kFifth, kVal, kSeed, kFields};
constexpr DataArgInfo kSpiralArgs[] = {
    kExamples, kNoise, {"classes", Type::count, "2", "arms of the spiral", false, 2, kMostClasses},
    kFifth,    kVal,   kSeed,
    kFields};
constexpr DataArgInfo kCsvSetArgs[] = {
    {"file", Type::text, "", "relative to the model file", true},
    {"val", Type::portion, "0", "examples off the end, or a file"},
    {"test", Type::portion, "0", "examples off the end (behind those of `val`), or a file"},
    {"fields", Type::csv_fields, "", "input: {columns, standardize, vocab, missing}"},
    kHeader,
    kDelimiter};

constexpr DataArgInfo kCsvFieldArgs[] = {
    {"columns", Type::columns, "", "positions or names; the input's own name if left out"},
    {"standardize", Type::flag, "false", "mean 0 and standard deviation 1 over `train`"},
    {"vocab", Type::vocab, "", "number texts: `auto` in alphabetical order, or a list"},
    {"missing", Type::missing, "", "for empty cells: `drop` the row, or a number"}};

constexpr DataArgInfo kArrayArgs[] = {kFile, kScale, kOffset, kFlatten, kReshape};
constexpr DataArgInfo kCsvSourceArgs[] = {
    kFile,
    {"columns", Type::columns, "", "positions or names; all if left out"},
    {"missing", Type::fill, "", "the number for empty cells", false, -kAny, kAny},
    kHeader,
    kDelimiter,
    kScale,
    kOffset,
    kFlatten,
    kReshape};

constexpr DataKindInfo kDatasets[] = {
    {"mnist", "", "handwritten digits from four IDX files", kImageFields, kMnistArgs},
    {"digits", "train", "drawn 28x28 digits; needs no file", kImageFields, kDigitsArgs},
    {"xor", "n", "the four quadrants, two classes", kPointFields, kPointArgs},
    {"moons", "n", "two interleaved half circles", kPointFields, kPointArgs},
    {"spiral", "n", "interleaved spiral arms", kPointFields, kSpiralArgs},
    {"csv", "file", "columns of a table", {}, kCsvSetArgs}};

constexpr DataKindInfo kSources[] = {{"idx", "file", "an IDX file, gzip or not", {}, kArrayArgs},
                                     {"npy", "file", "a NumPy .npy file", {}, kArrayArgs},
                                     {"csv", "file", "columns of a table", {}, kCsvSourceArgs}};

}  // namespace

std::span<const DataKindInfo> datasets() { return kDatasets; }
std::span<const DataKindInfo> data_sources() { return kSources; }
std::span<const DataArgInfo> csv_field_args() { return kCsvFieldArgs; }

}  // namespace limen
