package import Configuration
internal import FilterLanguage
internal import Filters
internal import KernelABI
package import Probes

extension FileAction {
    /// As records have it.
    var number: UInt32 {
        let action =
            switch self {
            case .create: HV_FILE_CREATE
            case .write: HV_FILE_WRITE
            case .rename: HV_FILE_RENAME
            case .delete: HV_FILE_DELETE
            case .truncate: HV_FILE_TRUNCATE
            case .link: HV_FILE_LINK
            case .symlink: HV_FILE_SYMLINK
            case .mkdir: HV_FILE_MKDIR
            case .rmdir: HV_FILE_RMDIR
            case .mknod: HV_FILE_MKNOD
            case .chmod: HV_FILE_CHMOD
            case .chown: HV_FILE_CHOWN
            case .utimes: HV_FILE_UTIMES
            case .setxattr: HV_FILE_SETXATTR
            case .removexattr: HV_FILE_REMOVEXATTR
            case .setflags: HV_FILE_SETFLAGS
            case .mmapWrite: HV_FILE_MMAP_WRITE
            case .mount: HV_FILE_MOUNT
            case .umount: HV_FILE_UMOUNT
            case .kernelParameter: HV_FILE_PARAMETER
            }
        return action.rawValue
    }
}

extension Settings {
    /// The entries of the watch set. What the filter leaves out whatever else an event has is not sent by the kernel; the canary has entries of its own.
    package var watchItems: [WatchItem] {
        let filtered = self.eventsFilter?.unwantedFileActions ?? 0
        return watchList.map { entry in
            let unwanted = entry.actions.map { wanted in
                FileAction.allCases.filter { !wanted.contains($0) }.reduce(UInt32(0)) { $0 | 1 << $1.number }
            }
            return WatchItem(entry.path, watched: entry.watched, unwanted: entry.watched ? (unwanted ?? 0) | filtered : 0)
        }
    }
}
