// The CUDA kernels live in this target; see SACCADE_CUDA in CMakeLists.txt. It is empty so far: the
// frame kernels come with the fused path, and this file keeps the build option honest until then.
namespace saccade::cuda {
int compiled_runtime_version() { return __CUDACC_VER_MAJOR__ * 1000 + __CUDACC_VER_MINOR__ * 10; }
}  // namespace saccade::cuda
