#include <nanobind/nanobind.h>

void bind_frames(nanobind::module_&) {}
