// The codec of Metavision's HDF5 files as a Python function.
#include "bind_decoder.hpp"
#include "decoders/ecf.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

nb::tuple decode_ecf(const Bytes& chunk, std::uint32_t width, std::uint32_t height,
                     std::size_t limit) {
  saccade::EcfEvents out;
  {
    nb::gil_scoped_release unlocked;
    out = saccade::decode_ecf(chunk.data(), chunk.size(), width, height, limit);
  }
  nb::dict dropped;
  dropped["out_of_bounds"] = out.out_of_bounds;
  dropped["negative_time"] = out.negative_time;
  nb::object damage = nb::none();
  if (out.damage) damage = nb::make_tuple(out.damage->what, out.damage->offset);
  return nb::make_tuple(columns(std::move(out.events)), dropped, out.stated, damage);
}

}  // namespace

void bind_hdf5(nb::module_& m) {
  m.def("decode_ecf", &decode_ecf, "chunk"_a.noconvert(), "width"_a, "height"_a, "limit"_a);
}
