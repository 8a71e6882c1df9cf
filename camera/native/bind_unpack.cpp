// Unfolding as Python functions; AEDAT4's packets, as they lie in the file, to columns.
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>

#include "bind_decoder.hpp"
#include "bind_slices.hpp"
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

  nb::tuple unfold(Bytes bytes, std::size_t limit, std::size_t first_limit) {
    saccade::Aedat4Batch out;
    {
      nb::gil_scoped_release unlocked;
      out = decoder_.unfold(bytes.data(), bytes.size(), limit, first_limit);
    }
    held_.assign(1, std::move(bytes));
    return nb::make_tuple(out.taken, out.others,
                          out.damage.empty() ? nb::none() : nb::cast(out.damage));
  }

  void add(Bytes payload) {
    decoder_.add(payload.data(), payload.size());
    held_.push_back(std::move(payload));
  }

  nb::tuple events() const {
    std::optional<saccade::Aedat4Events> out;
    {
      nb::gil_scoped_release unlocked;
      out.emplace(decoder_.events());
    }
    const saccade::Aedat4Dropped dropped{out->out_of_bounds, out->negative_time};
    return nb::make_tuple(columns(std::move(out->events)), to_dict(dropped));
  }

  bool count(PythonSliceCounter& to) {
    saccade::SliceCounter& slices = to.ready_for(decoder_);
    nb::gil_scoped_release unlocked;
    return decoder_.count(slices);
  }

  nb::dict dropped() { return to_dict(decoder_.dropped()); }

  void clear() {
    decoder_.clear();
    held_.clear();
  }

 private:
  static nb::dict to_dict(const saccade::Aedat4Dropped& dropped) {
    nb::dict out;
    out["out_of_bounds"] = dropped.out_of_bounds;
    out["negative_time"] = dropped.negative_time;
    return out;
  }

  saccade::Aedat4BatchDecoder decoder_;
  std::vector<Bytes> held_;  // what the decoder reads from
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
      .def("unfold", &BatchDecoder::unfold, "data"_a.noconvert(), "limit"_a, "first_limit"_a)
      .def("add", &BatchDecoder::add, "payload"_a.noconvert())
      .def("events", &BatchDecoder::events)
      .def("count", &BatchDecoder::count, "slices"_a)
      .def("take_dropped", &BatchDecoder::dropped)
      .def("clear", &BatchDecoder::clear);
}
