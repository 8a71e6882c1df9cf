// The decoders as Python classes: bytes in, columns out, the GIL released while they run.
#include "bind_decoder.hpp"
#include "decoders/aedat4.hpp"
#include "decoders/cpu.hpp"
#include "decoders/evt2.hpp"
#include "decoders/evt3.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

nb::tuple read_header(const Bytes& bytes) {
  const auto header = saccade::read_aedat4_header(bytes.data(), bytes.size());
  return nb::make_tuple(header.compression, header.table_position,
                        nb::bytes(header.info.data(), header.info.size()));
}

nb::tuple decode_events(const Bytes& payload, std::uint32_t width, std::uint32_t height) {
  saccade::Aedat4Events out{saccade::EventColumns(0)};
  {
    nb::gil_scoped_release unlocked;
    out = saccade::read_aedat4_events(payload.data(), payload.size(), width, height);
  }
  nb::dict dropped;
  dropped["out_of_bounds"] = out.out_of_bounds;
  dropped["negative_time"] = out.negative_time;
  return nb::make_tuple(columns(std::move(out.events)), dropped);
}

nb::tuple read_table(const Bytes& bytes) {
  auto table = saccade::read_aedat4_table(bytes.data(), bytes.size());
  return nb::make_tuple(to_numpy(std::move(table.offset)), to_numpy(std::move(table.stream)),
                        to_numpy(std::move(table.size)), to_numpy(std::move(table.events)),
                        to_numpy(std::move(table.first)), to_numpy(std::move(table.last)));
}

constexpr std::pair<const char*, saccade::Simd> kPaths[] = {{"none", saccade::Simd::kNone},
                                                            {"neon", saccade::Simd::kNeon},
                                                            {"avx2", saccade::Simd::kAvx2},
                                                            {"avx512", saccade::Simd::kAvx512}};

void allow_simd(const std::string& most) {
  for (const auto& [name, path] : kPaths) {
    if (most == name) return saccade::allow_simd(path);
  }
  throw nb::value_error("none, neon, avx2 or avx512");
}

const char* simd() {
  if (saccade::has_avx512()) return "avx512";
  return saccade::has_avx2() ? "avx2" : saccade::has_neon() ? "neon" : "none";
}

}  // namespace

void bind_decoders(nb::module_& m) {
  m.def("cpu_features", [] {
    nb::list names;
    for (const auto& name : saccade::cpu_features()) names.append(name.c_str());
    return names;
  });
  m.def("allow_simd", &allow_simd, "most"_a);
  m.def("simd", &simd);
  m.def(
      "count_reserved_evt3",
      [](const Bytes& words) {
        return saccade::count_reserved_evt3(words.data(),
                                            words.size() / saccade::Evt3Decoder::kWord);
      },
      "words"_a.noconvert());
  bind_decoder<saccade::Evt2Decoder, std::uint32_t, std::uint32_t>(m, "Evt2Decoder", "width"_a,
                                                                   "height"_a)
      .def("count", &count<saccade::Evt2Decoder>, "data"_a.noconvert(), "slices"_a)
      .def_prop_ro("triggers", &triggers<saccade::Evt2Decoder>);
  bind_decoder<saccade::Evt3Decoder, std::uint32_t, std::uint32_t>(m, "Evt3Decoder", "width"_a,
                                                                   "height"_a)
      .def("count", &count<saccade::Evt3Decoder>, "data"_a.noconvert(), "slices"_a)
      .def_prop_ro("triggers", &triggers<saccade::Evt3Decoder>)
      .def("copy", [](const saccade::Evt3Decoder& d) { return saccade::Evt3Decoder(d); })
      .def_prop_ro("state", [](const saccade::Evt3Decoder& d) -> nb::object {
        const auto s = d.state();
        if (!s) return nb::none();
        return nb::make_tuple(s->high, s->low, s->row, s->base, s->on);
      });
  m.def("read_aedat4_header", &read_header, "data"_a.noconvert());
  m.def("read_aedat4_table", &read_table, "data"_a.noconvert());
  m.def("decode_events", &decode_events, "payload"_a.noconvert(), "width"_a, "height"_a);
}
