internal import KernelABI

/// One entry of the watch set: a path or a pattern (`Glob`), watched or not, and which actions are wanted.
package struct WatchItem: Sendable {
    package let path: [UInt8]
    package let watched: Bool
    /// A bit `1 << action` (enum hv_file_action) for each action that is not wanted.
    package let unwanted: UInt32

    package init(_ path: String, watched: Bool, unwanted: UInt32 = 0) {
        self.path = Array(path.utf8)
        self.watched = watched
        self.unwanted = unwanted
    }
}

/// What became of a watched name between two looks at it.
package struct WatchChange: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// It came into being; what happened below it before this moment was not seen.
        case appeared
        case gone
        /// It leads to another object now.
        case replaced
        /// A mount lies over it. What is below stays watched.
        case covered
        /// The mount that it led to is no more.
        case uncovered
    }
    package let path: [UInt8]
    package let kind: Kind

    /// For people.
    package var text: String {
        switch kind {
        case .appeared: "the watched name exists now; it is watched from here on"
        case .gone: "the watched name is gone; its object stays watched where it still exists, and the name is waited for"
        case .replaced: "the watched name leads to another object now, which is watched in place of the former"
        case .covered: "something was mounted over the watched name; that is watched now, and what lies below it still"
        case .uncovered: "the file system that was mounted at the watched name is gone; what lay below it is watched"
        }
    }
}

/// Bits of `hv_watch.policy` for actions that are not wanted, from bits `1 << action`.
func policyBits(unwanted: UInt32) -> UInt32 { unwanted << 7 }

/// Of a folder that is watched only because a name on the way to a watched one is in it: all but what may turn that name elsewhere.
let onlyNameChanges: UInt32 = {
    let wanted = [HV_FILE_RENAME, HV_FILE_DELETE, HV_FILE_SYMLINK, HV_FILE_MKDIR, HV_FILE_RMDIR].reduce(UInt32(0)) { $0 | 1 << $1.rawValue }
    return (1..<HV_FILE_ACTIONS.rawValue).reduce(UInt32(0)) { $0 | 1 << $1 } & ~wanted
}()
