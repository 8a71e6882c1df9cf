// Unfolding as Python functions; AEDAT4's packets, as they lie in the file, to columns.
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>

#include "bind_decoder.hpp"
#include "decoders/aedat4_batch.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

nb::object unpack(const Bytes& bytes, std::size_t limit) {
  auto content = std::make_unique<saccade::Unfolded>();
  bool fits;
  {
    nb::gil_scoped_release unlocked;
    fits = saccade::unpack_lz4(bytes.data(), bytes.size(), limit, *content);
  }
  if (!fits) return nb::none();
  auto* kept = content.release();
  nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<saccade::Unfolded*>(p); });
  return nb::cast(Column<std::uint8_t>(kept->data(), {kept->size}, owner));
}

class BatchDecoder {
 public:
  BatchDecoder(std::int32_t stream, bool lz4, std::uint32_t width, std::uint32_t height)
      : decoder_(stream, lz4, width, height) {}

  nb::tuple decode(const Bytes& bytes, std::size_t limit, std::size_t first_limit) {
    std::optional<saccade::Aedat4Batch> out;
    {
      nb::gil_scoped_release unlocked;
      out.emplace(decoder_.decode(bytes.data(), bytes.size(), limit, first_limit));
    }
    nb::dict dropped;
    dropped["out_of_bounds"] = out->found.out_of_bounds;
    dropped["negative_time"] = out->found.negative_time;
    return nb::make_tuple(out->taken, columns(std::move(out->found.events)), dropped, out->others,
                          out->damage.empty() ? nb::none() : nb::cast(out->damage));
  }

 private:
  saccade::Aedat4BatchDecoder decoder_;
};

std::size_t whole_packets(const Bytes& bytes, const std::vector<std::int32_t>& streams,
                          std::int32_t wanted, std::size_t limit) {
  return saccade::whole_aedat4_packets(bytes.data(), bytes.size(), streams, wanted, limit);
}

}  // namespace

void bind_unpack(nb::module_& m) {
  m.def("unpack_lz4", &unpack, "data"_a.noconvert(), "limit"_a);
  m.def("whole_aedat4_packets", &whole_packets, "data"_a.noconvert(), "streams"_a, "wanted"_a,
        "limit"_a);
  nb::class_<BatchDecoder>(m, "Aedat4BatchDecoder")
      .def(nb::init<std::int32_t, bool, std::uint32_t, std::uint32_t>(), "stream"_a, "lz4"_a,
           "width"_a, "height"_a)
      .def("decode", &BatchDecoder::decode, "data"_a.noconvert(), "limit"_a, "first_limit"_a);
}
