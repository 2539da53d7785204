// A role of an activation (forward, backward, second order) as a step of an executable: one kernel
// called on piece after piece of the tensors.
#pragma once

#include <vector>

#include "ops/activate_use.hpp"

namespace limen {

// The lists of pointers that a tile has.
enum class TileList : std::uint8_t { x, y, dy, dx, gx, gy };
inline constexpr std::size_t kTileLists = 6;
inline constexpr int kMostPieces = 64, kMostParams = 256;  // of an op, as its descriptor may have

inline constexpr int kResult = -1;   // in place of an input: what the node computes
inline constexpr int kScratch = -2;  // likewise: computed and thrown away
inline constexpr int kSecond = -3;   // likewise: the result of the node that shares the call
inline constexpr int kNone = -4;

// A pointer of a tile: an input of the node, or its result.
struct TileOperand {
  TileList list;
  int slot;                 // place in the list
  int input;                // or kResult, kScratch
  int part = 0, parts = 1;  // which of so many pieces the tensor holds side by side
};

struct RoleCall {
  const limen_kernel* kernel = nullptr;
  std::vector<TileOperand> operands;
  int first_learned = 0;  // input; the counter stands behind the parameters
  int state = kNone;      // an input, kResult or kSecond
  std::uint32_t state_bits = 0;
  int gradient_of = -1;  // the result is the gradient of this parameter, by number

  // `count` pieces of one tensor, or one of each of `count` tensors.
  void add(TileList list, int count, bool one_tensor, int input);
};

// Bytes of what forward keeps.
std::int64_t state_bytes(const ActivationLayout& layout, std::uint32_t bits);

CompiledOp compile_role(const ActivationUse& use, RoleCall call, std::span<const TensorType> in,
                        const TensorType& out, const Target& target);

}  // namespace limen
