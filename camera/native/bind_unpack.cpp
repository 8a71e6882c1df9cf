// Unfolding as Python functions; AEDAT4's packets from LZ4 to columns in one call.
#include <memory>
#include <optional>

#include "bind_decoder.hpp"
#include "decoders/aedat4.hpp"
#include "decoders/lz4.hpp"

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

// Keeps the memory that packets unfold to.
class PacketDecoder {
 public:
  PacketDecoder(std::uint32_t width, std::uint32_t height) : width_(width), height_(height) {}

  nb::object decode(const Bytes& bytes, std::size_t limit) {
    std::optional<saccade::Aedat4Events> out;
    {
      nb::gil_scoped_release unlocked;
      if (saccade::unpack_lz4(bytes.data(), bytes.size(), limit, content_)) {
        out = saccade::read_aedat4_events(content_.data(), content_.size, width_, height_);
      }
    }
    if (!out) return nb::none();
    nb::dict dropped;
    dropped["out_of_bounds"] = out->out_of_bounds;
    dropped["negative_time"] = out->negative_time;
    return nb::make_tuple(columns(std::move(out->events)), dropped);
  }

 private:
  std::uint32_t width_, height_;
  saccade::Unfolded content_;
};

}  // namespace

void bind_unpack(nb::module_& m) {
  m.def("unpack_lz4", &unpack, "data"_a.noconvert(), "limit"_a);
  nb::class_<PacketDecoder>(m, "Aedat4PacketDecoder")
      .def(nb::init<std::uint32_t, std::uint32_t>(), "width"_a, "height"_a)
      .def("decode_lz4", &PacketDecoder::decode, "data"_a.noconvert(), "limit"_a);
}
