#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "ranking.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Scores = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

std::ptrdiff_t first_not_finite(Rows rows) {
  return saccade::first_not_finite(rows.data(), rows.shape(0), rows.shape(1));
}

void softmax(Scores scores, float scale) { saccade::softmax(scores.data(), scores.size(), scale); }

nb::tuple best(Scores scores, std::size_t top) {
  nb::list places, values;
  for (const auto& [place, value] : saccade::best(scores.data(), scores.size(), top)) {
    places.append(place);
    values.append(value);
  }
  return nb::make_tuple(places, values);
}

}  // namespace

void bind_ranking(nb::module_& m) {
  m.def("first_not_finite", &first_not_finite, "rows"_a.noconvert());
  m.def("softmax", &softmax, "scores"_a.noconvert(), "scale"_a);
  m.def("best", &best, "scores"_a.noconvert(), "top"_a);
}
