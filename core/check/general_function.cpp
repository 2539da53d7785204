#include "check/general_function.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include <limen/error.hpp>

namespace limen::check {
namespace {

// Sizes, strides and structs of the tensors of one call, in row-major order.
class Tensors {
 public:
  Tensors(const std::vector<std::vector<std::int64_t>>& shapes, DType dtype, std::int64_t step = 1,
          std::int64_t gap = 0)
      : dims_(shapes.size()), strides_(shapes.size()) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      std::int64_t stride = step;
      for (std::size_t axis = shapes[i].size(); axis-- > 0;) {
        dims_[i][axis] = shapes[i][axis];
        strides_[i][axis] = stride;
        stride = stride * shapes[i][axis] + gap;
      }
      list.push_back({sizeof(limen_tensor), dtype == DType::f32 ? LIMEN_F32 : LIMEN_F64,
                      static_cast<std::uint32_t>(shapes[i].size()), 0, dims_[i].data(),
                      strides_[i].data(), nullptr});
    }
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(list.size()); }
  // Where the elements of a tensor lie.
  std::vector<std::size_t> places(std::size_t i) const {
    std::vector<std::size_t> result{0};
    for (std::uint32_t axis = 0; axis < list[i].rank; ++axis) {
      std::vector<std::size_t> longer;
      for (const std::size_t begin : result) {
        for (std::int64_t k = 0; k < dims_[i][axis]; ++k) {
          longer.push_back(begin + static_cast<std::size_t>(k * strides_[i][axis]));
        }
      }
      result = std::move(longer);
    }
    return result;
  }

  std::vector<limen_tensor> list;

 private:
  std::vector<std::array<std::int64_t, 8>> dims_, strides_;
};

limen_call call_of(const OpCase& op, std::uint32_t role, Tensors& in, Tensors& out) {
  limen_call call{};
  call.size = sizeof call;
  call.role = role;
  call.hyper = op.hyper().data();
  call.instance = op.instance();
  call.in = in.list.data(), call.n_in = in.size();
  call.out = out.list.data(), call.n_out = out.size();
  call.seed[0] = 0x1234;
  call.parallel = [](void*, std::uint64_t n, void (*body)(void*, std::uint64_t, std::uint64_t),
                     void* arg) {
    if (n > 1) body(arg, 0, n / 2);
    if (n > 0) body(arg, n / 2, n);
  };
  return call;
}

struct ErrorText {
  std::array<char, 512> text{};
  limen_error error{sizeof(limen_error), LIMEN_OK, -1, 512, text.data()};
};

}  // namespace

std::size_t GeneralFunction::elements(const Dims& dims) {
  return static_cast<std::size_t>(
      std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>()));
}

std::size_t GeneralFunction::elements(const std::vector<Dims>& list) {
  std::size_t sum = 0;
  for (const Dims& dims : list) sum += elements(dims);
  return sum;
}

std::string GeneralFunction::name() const {
  return fmt::format("a tensor [{}]", fmt::join(forward_.in[0], ", "));
}

bool GeneralFunction::infer(std::uint32_t role, std::uint32_t results, Shapes& shapes) const {
  Tensors in(shapes.in, dtype_), out(std::vector<Dims>(results), dtype_);
  limen_call call = call_of(op_, role, in, out);
  ErrorText error;
  if (op_.op().infer == nullptr || op_.op().infer(&call, &error.error) != LIMEN_OK) return false;
  shapes.scratch = call.scratch_bytes;
  for (const limen_tensor& tensor : out.list) {
    if (tensor.rank > 8) return false;
    shapes.out.emplace_back(tensor.dims, tensor.dims + tensor.rank);
  }
  return true;
}

struct GeneralFunction::Memory {
  Tensors from, to;
  Operands inputs, results;
  std::vector<std::vector<std::size_t>> in, out;  // where elements lie
  std::vector<std::max_align_t> scratch;

  Memory(const Shapes& shapes, DType dtype, std::int64_t step, std::int64_t gap)
      : from(shapes.in, dtype, step, gap),
        to(shapes.out, dtype, step, gap),
        scratch(shapes.scratch / sizeof(std::max_align_t) + 4) {
    const auto make = [&](Operands& operands, Tensors& tensors, auto& places) {
      operands.reserve(tensors.size());
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        places.push_back(tensors.places(i));
        const std::size_t size = places[i].empty() ? 0 : places[i].back() + 1;
        tensors.list[i].data = operands.emplace_back(dtype, size).data();
        operands[i].fill(std::numeric_limits<double>::quiet_NaN());  // between elements
      }
    };
    make(inputs, from, in);
    make(results, to, out);
  }
};

Row GeneralFunction::execute(std::uint32_t role, Shapes& shapes, const Row& in) {
  if (!shapes.memory) shapes.memory = std::make_shared<Memory>(shapes, dtype_, step_, gap_);
  auto& [from, to, inputs, results, in_places, out_places, scratch] = *shapes.memory;
  auto next = in.begin();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (const std::size_t at : in_places[i]) inputs[i].set(at, *next++);
  }
  for (Operand& result : results) result.fill(prefill_);
  std::fill(scratch.begin(), scratch.end(), std::max_align_t{});
  limen_call call = call_of(op_, role, from, to);
  call.scratch = scratch.data();
  call.scratch_bytes = shapes.scratch;
  ErrorText error;
  if (op_.op().execute(&call, &error.error) != LIMEN_OK) {
    error.text.back() = '\0';
    throw Error("E0513",
                fmt::format("op \"{}\": execute() failed: {}", op_.op().name, error.text.data()));
  }
  for (const Operands* operands : {&inputs, &results}) {
    for (const Operand& operand : *operands) {
      if (operand.guards_intact()) continue;
      throw Error("E0513",
                  fmt::format("op \"{}\": execute() wrote outside its tensors", op_.op().name));
    }
  }
  Row values;
  for (std::size_t i = 0; i < results.size(); ++i) {
    for (const std::size_t at : out_places[i]) values.push_back(results[i].get(at));
  }
  return values;
}

void GeneralFunction::lay_out(std::int64_t step, std::int64_t gap) {
  step_ = step, gap_ = gap;
  forward_.memory.reset();
  backward_.memory.reset();
}

Row GeneralFunction::f(const Row& x) { return execute(LIMEN_FORWARD, forward_, x); }

Row GeneralFunction::b(const Row& x, const Row& dy) {
  Row in = x;
  const Row y = f(x);
  in.insert(in.end(), y.begin(), y.end());
  in.insert(in.end(), dy.begin(), dy.end());
  return execute(LIMEN_BACKWARD, backward_, in);
}

Row GeneralFunction::jacobian(const Row& x, std::size_t, double) {
  Row result;
  for (std::size_t i = 0; i < outputs(); ++i) {
    Row dy(outputs(), 0);
    dy[i] = 1;
    const Row dx = b(x, dy);
    result.insert(result.end(), dx.begin(), dx.end());
  }
  return result;
}

std::vector<std::unique_ptr<GeneralFunction>> general_functions(const OpCase& op, DType dtype) {
  std::vector<std::unique_ptr<GeneralFunction>> functions;
  for (const std::vector<std::int64_t>& shape : std::vector<std::vector<std::int64_t>>{
           {1}, {2}, {6}, {1, 4}, {2, 6}, {3, 4}, {12}, {2, 12}, {2, 2, 4}, {1, 4, 2, 2}}) {
    std::unique_ptr<GeneralFunction> function(new GeneralFunction(op, dtype));
    auto &forward = function->forward_, &backward = function->backward_;
    const std::uint32_t outputs = op.op().outputs;
    forward.in.assign(op.op().arity, shape);
    if (!function->infer(LIMEN_FORWARD, outputs, forward)) continue;
    backward.in = forward.in;
    for (int copy = 0; copy < 2; ++copy) {  // y and dy
      backward.in.insert(backward.in.end(), forward.out.begin(), forward.out.end());
    }
    if (!function->infer(LIMEN_BACKWARD, op.op().arity, backward)) continue;
    if (backward.out != forward.in) {
      throw Error("E0513", fmt::format("op \"{}\": infer() gives gradients of another shape than x",
                                       op.op().name));
    }
    functions.push_back(std::move(function));
  }
  return functions;
}

namespace {

// Whoever takes contiguous tensors only gets no others from the engine; who reads strides in
// forward must do so in backward.
void check_strides(const ActivationContext& context, GeneralFunction& function,
                   const std::string& subject, const Row& x, const Row& dy) {
  const Row y = function.f(x), dx = function.b(x, dy);
  const auto near = [&](const Row& got, const Row& expected) {
    double size = 0;
    for (const double v : expected) size = std::max(size, std::abs(v));
    return std::equal(got.begin(), got.end(), expected.begin(), [size](double a, double b) {
      return a == b || std::abs(a - b) <= 1e-4 * size || (std::isnan(a) && std::isnan(b));
    });
  };
  for (const auto& [step, gap] : {std::pair{1, 3}, std::pair{2, 1}}) {
    function.lay_out(step, gap);
    if (near(function.f(x), y)) {
      Tally t = context.tally("unaligned", "strides", subject + ", " + function.name());
      t.require(near(function.b(x, dy), dx), "dx",
                "forward reads and writes tensors whose elements lie apart, backward does not: "
                "use the strides of dy, x, y and dx, each its own");
      context.add(t);
    }
  }
  function.lay_out(1, 0);
}

}  // namespace

void check_general_contract(const ActivationContext& context, GeneralFunction& function,
                            const std::string& subject) {
  Random random(context.options.seed, "general", context.op.op().name);
  Row x(function.inputs()), dy(function.outputs());
  for (double& v : x) v = context.inside(1.5 * random.normal(), random);
  for (double& v : dy) v = random.upstream();
  const auto same = [&](const char* test, const char* check, const char* note, const Row& got,
                        const Row& expected) {
    Tally t = context.tally(test, check, subject + ", " + function.name());
    for (std::size_t i = 0; i < got.size(); ++i) {
      Point point;
      point.element = static_cast<std::int64_t>(i);
      point.elements = static_cast<std::int64_t>(got.size());
      point.got = got[i];
      t.add(point, compare(got[i], expected[i], 0, note));
    }
    context.add(t);
  };
  const bool exact = !context.has(LIMEN_FACT_NONDETERMINISTIC);
  if (context.wants("deterministic") && exact) {
    same("deterministic", "repeat", "a second forward gave another result", function.f(x),
         function.f(x));
    same("deterministic", "repeat", "a second backward gave another gradient", function.b(x, dy),
         function.b(x, dy));
  }
  if (context.wants("overwrites") && exact) {
    const Row y = function.f(x), dx = function.b(x, dy);
    function.prefill(std::numeric_limits<double>::quiet_NaN());
    same("overwrites", "poison", "the result depends on what y held before", function.f(x), y);
    same("overwrites", "poison", "the result depends on what dx held before", function.b(x, dy),
         dx);
    function.prefill(0);
  }
  if (context.wants("unaligned") && exact) check_strides(context, function, subject, x, dy);
  if (context.wants("upstream-linear") && exact) {
    Row doubled = dy, dx = function.b(x, dy);
    for (double& v : doubled) v *= -2;
    for (double& v : dx) v *= -2;
    same("upstream-linear", "upstream linearity", "B(-2 g) must be -2 B(g)", function.b(x, doubled),
         dx);
  }
}

}  // namespace limen::check
