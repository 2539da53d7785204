#include "io/safetensors.hpp"

#include <cstring>

#include <gmock/gmock.h>

#include "support/diagnostics.hpp"
#include "support/scratch.hpp"

namespace limen {
namespace {

using test::diagnostic_of;
using test::expect_robust;
using test::message_of;
using test::Scratch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string file(const std::string& header, const std::string& elements = {}) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return out + header + elements;
}

SafeTensors parse(const std::string& bytes) { return parse_safetensors(bytes, "x.safetensors"); }

std::string refusal(const std::string& bytes) {
  const Diagnostic d = diagnostic_of([&] { parse(bytes); });
  EXPECT_EQ(d.code, "E1001");
  return d.message;
}

Tensor counted(const Shape& shape, DType dtype, int from) {
  Tensor whole(TensorType{shape, DType::i32});
  for (std::int32_t& value : whole.as<std::int32_t>()) value = from++;
  return convert(whole, dtype);
}

SafeTensors sample() {
  SafeTensors content;
  content.tensors["b.weight"] = counted({2, 3}, DType::f32, 1);
  content.tensors["a.bias"] = counted({3}, DType::f32, 7);
  content.tensors["step"] = counted({}, DType::i32, 9);
  content.tensors["slot"] = counted({3}, DType::f64, 4);
  content.tensors["none"] = counted({0, 4}, DType::f32, 0);
  content.metadata["model"] = "limen: 1\nname: \"caf\xc3\xa9\"\n";
  content.metadata["seed"] = "7";
  return content;
}

TEST(Safetensors, ReadsAFileAsThePythonPackageWritesIt) {
  const std::string elements("\0\0\x80\x3f\0\0\0\x40\x05\0\0\0\0\0\0\0\xff", 17);
  const SafeTensors content = parse(file(
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("n":{"dtype":"I64","shape":[],"data_offsets":[8,16]},"u":{"dtype":"U8","shape":[1],"data_offsets":[16,17]}}   )",
      elements));
  EXPECT_EQ(content.metadata.at("format"), "pt");
  EXPECT_EQ(content.tensors.at("w").shape(), (Shape{1, 2}));
  EXPECT_THAT(content.tensors.at("w").as<float>(), ElementsAre(1, 2));
  EXPECT_THAT(content.tensors.at("n").as<std::int32_t>(), ElementsAre(5));
  EXPECT_THAT(content.tensors.at("u").as<std::int32_t>(), ElementsAre(255));
}

TEST(Safetensors, WritesTheSameBytesAfterReading) {
  const std::string once = format_safetensors(sample());
  const SafeTensors back = parse(once);
  EXPECT_EQ(format_safetensors(back), once);
  EXPECT_EQ(back.metadata, sample().metadata);
  ASSERT_EQ(back.tensors.size(), 5u);
  for (const auto& [name, tensor] : sample().tensors) {
    EXPECT_EQ(back.tensors.at(name).type(), tensor.type()) << name;
    EXPECT_EQ(std::memcmp(back.tensors.at(name).data(), tensor.data(), tensor.type().bytes()), 0);
  }
}

TEST(Safetensors, AlignsEveryTensor) {
  const std::string bytes = format_safetensors(sample());
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0u);
  EXPECT_LT(bytes.find("\"slot\""), bytes.find("\"a.bias\"")) << "doubles come first";
  EXPECT_LT(bytes.find("\"a.bias\""), bytes.find("\"b.weight\""));
}

TEST(Safetensors, GoesThroughAFile) {
  const Scratch scratch;
  write_safetensors(scratch.path("x.safetensors"), sample());
  EXPECT_EQ(Scratch::read(scratch.path("x.safetensors")), format_safetensors(sample()));
  EXPECT_EQ(read_safetensors(scratch.path("x.safetensors")).tensors.size(), 5u);
  write_safetensors(scratch.path("empty"), {});
  EXPECT_TRUE(read_safetensors(scratch.path("empty")).tensors.empty());
  EXPECT_EQ(diagnostic_of([&] { read_safetensors(scratch.path("gone")); }).code, "E0901");
}

TEST(Safetensors, RefusesHeadersThatAreNone) {
  EXPECT_THAT(refusal(""), HasSubstr("shorter than the 8 bytes"));
  EXPECT_THAT(refusal("PK\3\4abcdefgh"), HasSubstr("at most 100000000 are allowed"));
  EXPECT_THAT(refusal(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)),
              HasSubstr("are allowed"));
  EXPECT_THAT(refusal(std::string("\x10\0\0\0\0\0\0\0{}", 10)),
              HasSubstr("would be 16 bytes, 2 are there"));
  EXPECT_THAT(refusal(file("")), HasSubstr("does not start with `{`"));
  EXPECT_THAT(refusal(file(" {}")), HasSubstr("does not start with `{`"));
  EXPECT_THAT(refusal(file("[]")), HasSubstr("does not start with `{`"));
  EXPECT_THAT(refusal(file("{")), HasSubstr("not JSON"));
  EXPECT_THAT(refusal(file("{} x")), HasSubstr("not JSON"));
  EXPECT_THAT(refusal(file("{\"\xff\":{}}")), HasSubstr("not JSON"));
  EXPECT_THAT(refusal(file("{" + std::string(100000, '['))), HasSubstr("not JSON"));
  EXPECT_THAT(refusal(file("{\"a\":" + std::string(100000, '['))), HasSubstr("a list at `a`"));
}

TEST(Safetensors, RefusesKeysThatComeTwice) {
  const std::string a = R"("a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  EXPECT_THAT(refusal(file("{" + a + "," + a + "}")), HasSubstr("the key `a` twice"));
  EXPECT_THAT(refusal(file(R"({"__metadata__":{"k":"1","k":"2"}})")),
              HasSubstr("the key `k` twice"));
  EXPECT_THAT(
      refusal(file(R"({"a":{"dtype":"F32","dtype":"F64","shape":[0],"data_offsets":[0,0]}})")),
      HasSubstr("the key `dtype` twice"));
  EXPECT_THAT(refusal(file(R"({"__metadata__":{},"__metadata__":{}})")), HasSubstr("twice"));
}

TEST(Safetensors, RefusesMetadataThatIsNotText) {
  for (const auto* value : {"1", "-1", "1.5", "null", "true", "{}", "[]"}) {
    EXPECT_THAT(refusal(file(std::string(R"({"__metadata__":{"k":)") + value + "}}")),
                HasSubstr("at `k`"))
        << value;
  }
  EXPECT_THAT(refusal(file(R"({"__metadata__":"x"})")), HasSubstr("`__metadata__`"));
}

TEST(Safetensors, RefusesTensorsThatAreNotDescribed) {
  const auto tensor = [](const std::string& body) {
    return refusal(file("{\"a\":{" + body + "}}"));
  };
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[0])"), HasSubstr("needs `dtype`, `shape`"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[0],"data_offsets":[0])"),
              HasSubstr("needs `dtype`"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[0],"data_offsets":[0,0,0])"),
              HasSubstr("more than two"));
  EXPECT_THAT(tensor(R"("dtype":"BF16","shape":[0],"data_offsets":[0,0])"), HasSubstr("BF16"));
  EXPECT_THAT(tensor(R"("dtype":1,"shape":[0],"data_offsets":[0,0])"), HasSubstr("`dtype`"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":3,"data_offsets":[0,0])"), HasSubstr("`shape`"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[-1],"data_offsets":[0,0])"),
              HasSubstr("-1 at `shape`"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,0])"), HasSubstr("`shape`"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0])"),
              HasSubstr("`shape`"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,0])"),
              HasSubstr("more than 8 axes"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1)"),
              HasSubstr("unknown key `x`"));
  EXPECT_THAT(refusal(file(R"({"a":[]})")), HasSubstr("a list at `a`"));
}

TEST(Safetensors, RefusesHolesOverlapsAndWrongSizes) {
  const auto two = [](const std::string& first, const std::string& second) {
    return refusal(file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
                            R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}",
                        std::string(12, '\0')));
  };
  EXPECT_THAT(two("[0,4]", "[8,12]"), HasSubstr("starts at byte 8, leaving a hole from 4"));
  EXPECT_THAT(two("[0,4]", "[0,4]"), HasSubstr("overlapping up to 4"));
  EXPECT_THAT(two("[4,8]", "[8,12]"), HasSubstr("leaving a hole from 0"));
  EXPECT_THAT(two("[0,4]", "[4,8]"), HasSubstr("4 bytes behind the last tensor"));
  EXPECT_THAT(two("[0,4]", "[4,12]"), HasSubstr("`b` is f32[1] but has 8 bytes"));
  EXPECT_THAT(two("[0,4]", "[12,16]"), HasSubstr("lies at bytes 12 to 16 of 12"));
  EXPECT_THAT(two("[0,4]", "[8,4]"), HasSubstr("lies at bytes 8 to 4"));
  EXPECT_THAT(refusal(file(
                  R"({"a":{"dtype":"F64","shape":[4611686018427387904,8],"data_offsets":[0,0]}})")),
              HasSubstr("but has 0 bytes"));
}

TEST(Safetensors, RefusesAWholeNumberBeyond32Bits) {
  EXPECT_THAT(refusal(file(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})",
                           std::string("\0\0\0\0\1\0\0\0", 8))),
              HasSubstr("tensor `a`: element 0 is 4294967296"));
}

TEST(Safetensors, RefusesEveryCutAndNeverCrashes) {
  SafeTensors content;
  content.tensors["w"] = counted({2}, DType::f32, 1);
  content.tensors["n"] = counted({1}, DType::f64, 1);
  content.metadata["k"] = "v";
  expect_robust(format_safetensors(content), [](const std::string& bytes) { parse(bytes); });
}

}  // namespace
}  // namespace limen
