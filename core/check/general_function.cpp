#include "check/general_function.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <numeric>

#include <limen/error.hpp>

namespace limen::check {
namespace {

// Sizes, strides and structs of the tensors of one call, in row-major order.
class Tensors {
 public:
  Tensors(const std::vector<std::vector<std::int64_t>>& shapes, DType dtype)
      : dims_(shapes.size()), strides_(shapes.size()) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      std::int64_t stride = 1;
      for (std::size_t axis = shapes[i].size(); axis-- > 0; stride *= shapes[i][axis]) {
        dims_[i][axis] = shapes[i][axis];
        strides_[i][axis] = stride;
      }
      list.push_back({sizeof(limen_tensor), dtype == DType::f32 ? LIMEN_F32 : LIMEN_F64,
                      static_cast<std::uint32_t>(shapes[i].size()), 0, dims_[i].data(),
                      strides_[i].data(), nullptr});
    }
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(list.size()); }

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
  std::vector<std::max_align_t> scratch;

  Memory(const Shapes& shapes, DType dtype)
      : from(shapes.in, dtype),
        to(shapes.out, dtype),
        scratch(shapes.scratch / sizeof(std::max_align_t) + 4) {
    const auto make = [&](const std::vector<Dims>& list, Operands& operands, Tensors& tensors) {
      operands.reserve(list.size());
      for (std::size_t i = 0; i < list.size(); ++i) {
        tensors.list[i].data = operands.emplace_back(dtype, elements(list[i])).data();
      }
    };
    make(shapes.in, inputs, from);
    make(shapes.out, results, to);
  }
};

Row GeneralFunction::execute(std::uint32_t role, Shapes& shapes, const Row& in) {
  if (!shapes.memory) shapes.memory = std::make_shared<Memory>(shapes, dtype_);
  auto& [from, to, inputs, results, scratch] = *shapes.memory;
  split(in, inputs);
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
  return joined(results);
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
  if (context.wants("upstream-linear") && exact) {
    Row doubled = dy, dx = function.b(x, dy);
    for (double& v : doubled) v *= -2;
    for (double& v : dx) v *= -2;
    same("upstream-linear", "upstream linearity", "B(-2 g) must be -2 B(g)", function.b(x, doubled),
         dx);
  }
}

}  // namespace limen::check
