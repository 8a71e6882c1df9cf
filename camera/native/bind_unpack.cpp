// Unfolding as Python functions; AEDAT4's packets, as they lie in the file, to columns.
#include <nanobind/stl/vector.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "bind_decoder.hpp"
#include "bind_slices.hpp"
#include "decoders/aedat4_batch.hpp"
#include "decoders/aedat4_pass.hpp"

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

nb::dict dropped_events(const saccade::Aedat4Dropped& dropped) {
  nb::dict out;
  out["out_of_bounds"] = dropped.out_of_bounds;
  out["negative_time"] = dropped.negative_time;
  return out;
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
    return nb::make_tuple(columns(std::move(out->events)), dropped_events(dropped));
  }

  bool count(PythonSliceCounter& to) {
    saccade::SliceCounter& slices = to.ready_for(decoder_);
    nb::gil_scoped_release unlocked;
    return decoder_.count(slices);
  }

  nb::dict dropped() { return dropped_events(decoder_.dropped()); }

  void clear() {
    decoder_.clear();
    held_.clear();
  }

 private:
  saccade::Aedat4BatchDecoder decoder_;
  std::vector<Bytes> held_;  // what the decoder reads from
};

std::size_t whole_packets(const Bytes& bytes, const std::vector<std::int32_t>& streams,
                          std::int32_t wanted, std::size_t limit) {
  return saccade::whole_aedat4_packets(bytes.data(), bytes.size(), streams, wanted, limit);
}

// Holds the file open by a descriptor of its own: its threads may read when Python has closed it.
class Pass {
 public:
  Pass(int file, std::uint64_t offset, std::uint64_t end, std::vector<std::int32_t> streams,
       std::int32_t wanted, std::uint32_t width, std::uint32_t height, unsigned threads)
      : file_(dup(file)) {
    if (file_.number < 0) {
      PyErr_SetFromErrno(PyExc_OSError);
      throw nb::python_error();
    }
    pass_.emplace(
        saccade::Aedat4Source{file_.number, offset, end, std::move(streams), wanted, width, height},
        threads);
  }

  // (end, others, damage, columns, dropped)
  nb::object next() {
    std::unique_ptr<saccade::Aedat4Part> part;
    {
      nb::gil_scoped_release unlocked;
      part = pass_->next();
    }
    if (!part) return nb::none();
    const saccade::Aedat4Dropped dropped{part->decoded.out_of_bounds, part->decoded.negative_time};
    return nb::make_tuple(part->end, part->others,
                          part->damage.empty() ? nb::none() : nb::cast(part->damage),
                          columns(std::move(part->decoded.events)), dropped_events(dropped));
  }

 private:
  struct Descriptor {
    explicit Descriptor(int n) : number(n) {}
    ~Descriptor() { close(number); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int number;
  };
  Descriptor file_;
  std::optional<saccade::Aedat4Pass> pass_;  // ends before the file is closed
};

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
  nb::class_<Pass>(m, "Aedat4Pass")
      .def(nb::init<int, std::uint64_t, std::uint64_t, std::vector<std::int32_t>, std::int32_t,
                    std::uint32_t, std::uint32_t, unsigned>(),
           "file"_a, "offset"_a, "end"_a, "streams"_a, "wanted"_a, "width"_a, "height"_a,
           "threads"_a)
      .def("next", &Pass::next);
}
