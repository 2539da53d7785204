#include "check/general_function.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <numeric>

#include <limen/error.hpp>

#include "check/signals.hpp"

namespace limen::check {
namespace {

// Sizes, strides and structs of the tensors of one call, in row-major order.
class Tensors {
 public:
  Tensors(const std::vector<GeneralFunction::Dims>& shapes, DType dtype,
          const std::vector<Layout>& layouts = {})
      : dims_(shapes.size()), strides_(shapes.size()) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const Layout layout = layouts.empty() ? Layout{} : layouts[i];
      dims_[i].fill(1), strides_[i].fill(1);
      std::int64_t stride = layout.step;
      for (std::size_t axis = shapes[i].size(); axis-- > 0;) {
        const bool one = layout.spread && axis + 1 == shapes[i].size();
        dims_[i][axis + 1] = shapes[i][axis];
        strides_[i][axis + 1] = one ? 0 : layout.backwards ? -stride : stride;
        if (!one) stride = stride * shapes[i][axis] + layout.gap;
      }
      list.push_back({sizeof(limen_tensor), dtype == DType::f32 ? LIMEN_F32 : LIMEN_F64,
                      static_cast<std::uint32_t>(shapes[i].size()), 0, dims_[i].data() + 1,
                      strides_[i].data() + 1, nullptr});
    }
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(list.size()); }
  // Where the elements of a tensor lie, from its first.
  std::vector<std::ptrdiff_t> places(std::size_t i) const {
    std::vector<std::ptrdiff_t> result{0};
    for (std::uint32_t axis = 0; axis < list[i].rank; ++axis) {
      std::vector<std::ptrdiff_t> longer;
      for (const std::ptrdiff_t begin : result) {
        for (std::int64_t k = 0; k < list[i].dims[axis]; ++k) {
          longer.push_back(begin + k * list[i].strides[axis]);
        }
      }
      result = std::move(longer);
    }
    return result;
  }

  std::vector<limen_tensor> list;

 private:
  // Who asks for the first or the last axis of a scalar finds one of size 1.
  std::vector<std::array<std::int64_t, 9>> dims_, strides_;
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
  if (op_.op().infer == nullptr) return false;
  std::int32_t code = LIMEN_E_INVALID;
  const auto ask = [&] { code = op_.op().infer(&call, &error.error); };
  shapes.in[0].empty() ? void(first_fault(ask)) : ask();
  if (code != LIMEN_OK) return false;
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

  Memory(const Shapes& shapes, DType dtype, const std::vector<Layout>& in_layouts,
         const std::vector<Layout>& out_layouts, bool apart)
      : from(shapes.in, dtype, in_layouts),
        to(shapes.out, dtype, out_layouts),
        scratch(shapes.scratch / sizeof(std::max_align_t) + 4) {
    inputs.reserve(from.size());
    results.reserve(to.size());
    // Who takes the strides of another tensor, or their size, should get wrong numbers, not crash.
    std::ptrdiff_t room = 0;
    const auto each = [&](auto visit) {
      for (std::size_t i = 0; i < from.size(); ++i) visit(inputs, from, in, i);
      for (std::size_t i = 0; i < to.size(); ++i) visit(results, to, out, i);
    };
    each([&](Operands&, const Tensors& tensors, auto&, std::size_t i) {
      const std::vector<std::ptrdiff_t> places = tensors.places(i);
      if (apart && !places.empty()) room = std::max(room, std::abs(places.back()) + 1);
    });
    each([&](Operands& operands, Tensors& tensors, auto& lists, std::size_t i) {
      std::vector<std::size_t>& list = lists.emplace_back();
      for (const std::ptrdiff_t at : tensors.places(i)) {
        list.push_back(static_cast<std::size_t>(at + room));
      }
      const std::size_t size = apart          ? static_cast<std::size_t>(2 * room)
                               : list.empty() ? 0
                                              : list.back() + 1;
      Operand& operand = operands.emplace_back(dtype, size);
      operand.fill(std::numeric_limits<double>::quiet_NaN());  // between elements
      tensors.list[i].data = static_cast<std::byte*>(operand.data()) +
                             room * static_cast<std::ptrdiff_t>(size_of(dtype));
    });
  }
};

void GeneralFunction::set(std::uint32_t role, const Row& in) {
  Shapes& at = shapes(role);
  if (!at.memory) {
    const Layouts& l = layouts_;
    std::vector<Layout> from(op_.op().arity, l.x), to(at.out.size(), l.y);
    if (role == LIMEN_BACKWARD) {
      from.insert(from.end(), forward_.out.size(), l.y);
      from.insert(from.end(), forward_.out.size(), l.dy);
      to.assign(at.out.size(), l.dx);
    }
    at.memory = std::make_shared<Memory>(at, dtype_, from, to, l != Layouts{});
  }
  auto next = in.begin();
  for (std::size_t i = 0; i < at.memory->inputs.size(); ++i) {
    for (const std::size_t place : at.memory->in[i]) at.memory->inputs[i].set(place, *next++);
  }
}

bool GeneralFunction::run(std::uint32_t role) {
  Memory& memory = *shapes(role).memory;
  for (Operand& result : memory.results) result.fill(prefill_);
  std::fill(memory.scratch.begin(), memory.scratch.end(), std::max_align_t{});
  limen_call call = call_of(op_, role, memory.from, memory.to);
  call.scratch = memory.scratch.data();
  call.scratch_bytes = shapes(role).scratch;
  ErrorText error;
  const std::int32_t code = op_.op().execute(&call, &error.error);
  if (code != LIMEN_OK) {
    error.text.back() = '\0';
    refusal_ = fmt::format("code {} {}", code, error.text.data());
    return false;
  }
  for (const Operands* operands : {&memory.inputs, &memory.results}) {
    for (const Operand& operand : *operands) {
      if (operand.guards_intact()) continue;
      throw Error("E0513",
                  fmt::format("op \"{}\": execute() wrote outside its tensors", op_.op().name));
    }
  }
  return true;
}

Row GeneralFunction::results(std::uint32_t role) {
  const Memory& memory = *shapes(role).memory;
  Row values;
  values.reserve(elements(shapes(role).out));
  for (std::size_t i = 0; i < memory.results.size(); ++i) {
    for (const std::size_t at : memory.out[i]) values.push_back(memory.results[i].get(at));
  }
  return values;
}

Row GeneralFunction::execute(std::uint32_t role, const Row& in) {
  set(role, in);
  if (run(role)) return results(role);
  throw Error(
      "E0513",
      fmt::format("op \"{}\": execute() failed ({} of {}, which infer() accepts): {}",
                  op_.op().name, role == LIMEN_FORWARD ? "forward" : "backward", name(), refusal_));
}

// An op whose author has not thought of scalars looks for the last of no axes, which is far outside
// of everything: the scalar is left out.
bool GeneralFunction::survives() {
  set(LIMEN_FORWARD, Row(inputs(), 0.5));
  set(LIMEN_BACKWARD, Row(elements(backward_.in), 0.5));
  return first_fault([this] { run(LIMEN_FORWARD), run(LIMEN_BACKWARD); }) == nullptr;
}

void GeneralFunction::lay_out(const Layouts& layouts) {
  layouts_ = layouts;
  forward_.memory.reset();
  backward_.memory.reset();
}

Row GeneralFunction::f(const Row& x) { return execute(LIMEN_FORWARD, x); }

Row GeneralFunction::b(const Row& x, const Row& dy) {
  Row in = x;
  const Row y = f(x);
  in.insert(in.end(), y.begin(), y.end());
  in.insert(in.end(), dy.begin(), dy.end());
  return execute(LIMEN_BACKWARD, in);
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

std::vector<std::unique_ptr<GeneralFunction>> general_functions(
    const OpCase& op, DType dtype, const std::vector<GeneralFunction::Dims>& shapes) {
  std::vector<std::unique_ptr<GeneralFunction>> functions;
  for (const GeneralFunction::Dims& shape : shapes) {
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
    if (!shape.empty() || function->survives()) functions.push_back(std::move(function));
  }
  return functions;
}

std::vector<std::unique_ptr<GeneralFunction>> general_functions(const OpCase& op, DType dtype) {
  const std::vector<GeneralFunction::Dims> small{
      {},   {1},     {2},       {6},       {1, 4},       {2, 6},         {3, 4},
      {12}, {2, 12}, {2, 1, 2}, {2, 2, 4}, {1, 4, 2, 2}, {1, 2, 1, 1, 2}};
  return general_functions(op, dtype, small);
}

}  // namespace limen::check
