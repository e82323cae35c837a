#include "postgres/wait_event.h"

namespace image_library::postgres {

uint32 WaitEventInfo(WaitsFor what) {
  static constexpr const char* kNames[] = {"ImageLibraryLauncher", "ImageLibraryLauncherStart",
                                           "ImageLibraryRegistry", "ImageLibrarySyncTurn",
                                           "ImageLibraryPush"};
  // The numbers are the server's. Each process asks for them when it first waits: when the
  // postmaster loads the library, there is no shared memory yet.
  static constinit uint32 numbers[lengthof(kNames)] = {};
  uint32& number = numbers[static_cast<int>(what)];
  if (number == 0) number = WaitEventExtensionNew(kNames[static_cast<int>(what)]);
  return number;
}

}  // namespace image_library::postgres
