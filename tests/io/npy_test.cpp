#include "io/npy.hpp"

#include <cstring>

#include <gmock/gmock.h>

#include "io/file.hpp"
#include "support/diagnostics.hpp"
#include "support/scratch.hpp"

namespace limen {
namespace {

using test::expect_robust;
using test::message_of;
using test::Scratch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A file as NumPy lays it out. The header is padded so that the elements start at a multiple of 64.
std::string npy(const std::string& header, const std::string& elements, int major = 1) {
  const std::size_t prefix = major == 1 ? 10 : 12;
  std::string text = header;
  text.append(63 - (prefix + text.size()) % 64, ' ');
  text += '\n';
  std::string out("\x93NUMPY", 6);
  out += static_cast<char>(major);
  out += '\0';
  for (std::size_t i = 0; i < prefix - 8; ++i)
    out += static_cast<char>(text.size() >> (8 * i) & 0xff);
  return out + text + elements;
}

std::string described(const std::string& descr, const std::string& shape, bool fortran = false) {
  return "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") +
         ", 'shape': " + shape + ", }";
}

template <class T>
std::string raw(std::initializer_list<T> values) {
  std::string out;
  for (const T& value : values) out.append(reinterpret_cast<const char*>(&value), sizeof(T));
  return out;
}

LoadedArray parse(const std::string& bytes) { return parse_npy(bytes, "x.npy"); }

TEST(Npy, ReadsEveryElementType) {
  const auto f32 = parse(npy(described("<f4", "(2,)"), raw<float>({1.5f, -2})));
  EXPECT_EQ(f32.type, FileType::f32);
  EXPECT_THAT(f32.tensor.as<float>(), ElementsAre(1.5f, -2));
  const auto f64 = parse(npy(described("<f8", "(2,)"), raw<double>({1.5, -2})));
  EXPECT_THAT(f64.tensor.as<double>(), ElementsAre(1.5, -2));
  const auto i32 = parse(npy(described("<i4", "(2,)"), raw<std::int32_t>({7, -2})));
  EXPECT_THAT(i32.tensor.as<std::int32_t>(), ElementsAre(7, -2));
  const auto i64 = parse(npy(described("<i8", "(2,)"), raw<std::int64_t>({7, -2147483648})));
  EXPECT_EQ(i64.type, FileType::i64);
  EXPECT_THAT(i64.tensor.as<std::int32_t>(), ElementsAre(7, -2147483647 - 1));
  const auto u8 = parse(npy(described("|u1", "(2,)"), raw<std::uint8_t>({7, 255})));
  EXPECT_THAT(u8.tensor.as<std::int32_t>(), ElementsAre(7, 255));
}

TEST(Npy, RefusesAWholeNumberBeyond32Bits) {
  EXPECT_THAT(message_of([] {
                parse(npy(described("<i8", "(2,)"), raw<std::int64_t>({7, 3000000000})));
              }),
              HasSubstr("x.npy: element 1 is 3000000000, which does not fit 32 bits"));
}

TEST(Npy, SwapsBigEndianElements) {
  const auto array =
      parse(npy(described(">i4", "(2,)"), std::string("\0\0\1\2\xff\xff\xff\xfe", 8)));
  EXPECT_THAT(array.tensor.as<std::int32_t>(), ElementsAre(258, -2));
}

TEST(Npy, TurnsFortranOrderIntoRows) {
  // [[1, 2, 3], [4, 5, 6]] by columns.
  const auto array = parse(npy(described("<f4", "(2, 3)", true), raw<float>({1, 4, 2, 5, 3, 6})));
  EXPECT_EQ(array.tensor.shape(), (Shape{2, 3}));
  EXPECT_THAT(array.tensor.as<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  // numpy.arange(8).reshape(2, 2, 2) in Fortran's order.
  const auto cube =
      parse(npy(described("<i4", "(2, 2, 2)", true), raw<std::int32_t>({0, 4, 2, 6, 1, 5, 3, 7})));
  EXPECT_THAT(cube.tensor.as<std::int32_t>(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(Npy, ReadsScalarsAndEmptyArrays) {
  const auto scalar = parse(npy(described("<f8", "()"), raw<double>({2.5})));
  EXPECT_EQ(scalar.tensor.shape().rank(), 0);
  EXPECT_THAT(scalar.tensor.as<double>(), ElementsAre(2.5));
  EXPECT_EQ(parse(npy(described("<f4", "(0, 3)"), "")).tensor.shape(), (Shape{0, 3}));
  EXPECT_EQ(parse(npy(described("<f4", "(3, 0)", true), "")).tensor.shape(), (Shape{3, 0}));
}

TEST(Npy, ReadsVersionsTwoAndThreeWithLongHeaders) {
  const std::string padding(70000, ' ');
  for (const int major : {2, 3}) {
    const auto array = parse(npy(described("<f4", "(1,)") + padding, raw<float>({3}), major));
    EXPECT_THAT(array.tensor.as<float>(), ElementsAre(3));
  }
  EXPECT_THAT(message_of([] { parse(npy(described("<f4", "(1,)"), raw<float>({3}), 4)); }),
              HasSubstr("version 4.0 is unknown"));
}

TEST(Npy, ReadsKeysInAnyOrder) {
  const auto array =
      parse(npy("{'shape': (1,), \"descr\": '<f4', 'fortran_order': False}", raw<float>({3})));
  EXPECT_THAT(array.tensor.as<float>(), ElementsAre(3));
}

TEST(Npy, RefusesOtherElementTypesByName) {
  const auto refused = [](const std::string& descr) {
    return message_of([&] { parse(npy(described(descr, "(1,)"), std::string(16, '\0'))); });
  };
  EXPECT_THAT(refused("|O"), HasSubstr("Python objects"));
  EXPECT_THAT(refused("<f2"), HasSubstr("float16"));
  EXPECT_THAT(refused("|b1"), HasSubstr("bool"));
  EXPECT_THAT(refused("|i1"), HasSubstr("int8"));
  EXPECT_THAT(refused("<u8"), HasSubstr("uint64"));
  EXPECT_THAT(refused("<c8"), HasSubstr("complex64"));
  EXPECT_THAT(refused("<U5"), HasSubstr("text"));
  EXPECT_THAT(message_of([] {
                parse(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
                          std::string(4, '\0')));
              }),
              HasSubstr("records"));
}

TEST(Npy, RefusesSizesThatTheFileDoesNotHave) {
  EXPECT_THAT(message_of([] {
                parse(npy(described("<f4", "(3,)"), raw<float>({1, 2})));
              }),
              HasSubstr("f32[3] takes 12 bytes, the file has 8"));
  EXPECT_THAT(message_of([] {
                parse(npy(described("<f4", "(1,)"), raw<float>({1, 2})));
              }),
              HasSubstr("the file has 8"));
  for (const auto* shape : {"(4611686018427387904, 4611686018427387904)", "(9223372036854775807,)",
                            "(4611686018427387904, 4, 0)"}) {
    EXPECT_THROW(parse(npy(described("<f8", shape), "")), Error) << shape;
    EXPECT_THROW(parse(npy(described("<f8", shape, true), "")), Error) << shape;
  }
  EXPECT_THAT(
      message_of([] { parse(npy(described("<f4", "(1,1,1,1,1,1,1,1,1)"), raw<float>({1}))); }),
      HasSubstr("more than 8 axes"));
}

TEST(Npy, RefusesBrokenHeaders) {
  for (const auto* header :
       {"", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "import os"}) {
    EXPECT_THROW(parse(npy(header, raw<float>({1}))), Error) << header;
  }
  EXPECT_THAT(message_of([] { parse("PK\x03\x04"); }), HasSubstr("not an NPY file"));
}

TEST(Npy, RefusesEveryCutAndNeverCrashes) {
  expect_robust(npy(described("<i8", "(2, 1)"), raw<std::int64_t>({5, 6})),
                [](const std::string& bytes) { parse(bytes); });
  expect_robust(npy(described(">f4", "(2, 1)", true), raw<float>({5, 6}), 2),
                [](const std::string& bytes) { parse(bytes); });
}

TEST(Npy, WritesWhatNumPyWrites) {
  const Scratch scratch;
  Tensor tensor(TensorType{Shape{2, 3}, DType::f32});
  for (int i = 0; i < 6; ++i)
    tensor.as<float>()[static_cast<std::size_t>(i)] = static_cast<float>(i);
  write_npy(scratch.path("x.npy"), tensor.view());
  EXPECT_EQ(Scratch::read(scratch.path("x.npy")),
            npy(described("<f4", "(2, 3)"), raw<float>({0, 1, 2, 3, 4, 5})));
}

TEST(Npy, ReadsBackWhatItWrote) {
  const Scratch scratch;
  for (const DType dtype : {DType::f32, DType::f64, DType::i32}) {
    for (const Shape& shape :
         {Shape{}, Shape{0}, Shape{5}, Shape{2, 3}, Shape{1, 2, 1, 2, 1, 2, 1, 2}}) {
      Tensor tensor(TensorType{shape, dtype});
      std::memset(tensor.data(), 1, tensor.type().bytes());
      write_npy(scratch.path("x.npy"), tensor.view());
      EXPECT_EQ(npy_header(tensor.type()).size() % 64, 0u);
      const LoadedArray back = read_npy(scratch.path("x.npy"));
      EXPECT_EQ(back.tensor.type(), tensor.type());
      EXPECT_EQ(back.type, file_type(dtype));
      EXPECT_EQ(std::memcmp(back.tensor.data(), tensor.data(), tensor.type().bytes()), 0);
    }
  }
}

}  // namespace
}  // namespace limen
