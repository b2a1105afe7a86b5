import Configuration
import KernelABI
import Probes
import Testing

@testable import Monitor

struct WatchListTests {
    private func items(_ filter: String?, watch: String = "/x") -> [WatchItem] {
        var overrides = [Override(\.filesWatch, list: [watch], option: "--path"), Override(\.filesProfiles, "none", option: "--path")]
        if let filter { overrides.append(Override(\.eventsFilter, filter, option: "--filter")) }
        overrides.append(Override(\.filesIgnore, list: ["/x/y"], option: "--ignore"))
        return Settings.check(file: "/dev/null", overrides: overrides).settings.watchItems
    }

    /// What the filter rules out by the action alone is not asked of the kernel, and nothing else is left out.
    @Test func theFilterGoesIntoTheEntries() {
        #expect(items(nil).map(\.unwanted) == [0, 0])
        #expect(items("process.name == \"a\"").map(\.unwanted) == [0, 0])
        let found = items("event.action != \"write\"")
        #expect(found.map(\.watched) == [true, false])
        #expect(found.map(\.unwanted) == [1 << HV_FILE_WRITE.rawValue, 0])
        // Names, mounts and parameters of the kernel are always told.
        let none = items("event.category == \"process\"")[0].unwanted
        for action in [HV_FILE_CREATE, HV_FILE_RENAME, HV_FILE_DELETE, HV_FILE_MKDIR, HV_FILE_MOUNT, HV_FILE_UMOUNT, HV_FILE_PARAMETER, HV_FILE_LINK] {
            #expect(none & 1 << action.rawValue == 0)
        }
        #expect(none.nonzeroBitCount == 9)
    }
}
