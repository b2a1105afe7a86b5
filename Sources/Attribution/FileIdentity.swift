internal import Glibc
package import KernelABI

/// A file as it was at one time. One that is changed gets another, and so does a new file with an old number.
package struct FileIdentity: Hashable, Sendable, BitwiseCopyable {
    package var inode: UInt64
    /// Bytes.
    package var size: UInt64
    /// Of the content and of all of it, nanoseconds since 1970. The second can't be set by who owns the file.
    package var mtime: UInt64
    package var ctime: UInt64
    /// s_dev: major << 20 | minor.
    package var device: UInt32
    package var generation: UInt32

    /// - Parameter ctime: nanoseconds since 1970, as the record has it beside the object.
    package init(_ object: hv_object, ctime: UInt64) {
        inode = object.inode
        size = object.size
        mtime = object.mtime
        self.ctime = ctime
        device = object.device
        generation = object.generation
    }
}

/// Why a file was not hashed.
package enum HashFailure: UInt8, Error, CaseIterable, Sendable, BitwiseCopyable {
    /// No way leads to it any more, or not to a file with this identity.
    case gone = 1
    /// It is another than at the time of the event, or changed while it was read.
    case changed
    /// Too many wait.
    case busy
    /// More than `attribution.hash_max`.
    case tooLarge
    /// On a file system that others answer for, who may take their time: FUSE, NFS and the like.
    case networkFileSystem
    /// No regular file, or an error while reading.
    case unreadable
    /// By the configuration.
    case off

    /// The identifier, in `hypervigil.process.hash_failure`.
    package var name: StaticString {
        switch self {
        case .gone: "gone"
        case .changed: "changed"
        case .busy: "busy"
        case .tooLarge: "too-large"
        case .networkFileSystem: "network-file-system"
        case .unreadable: "unreadable"
        case .off: "off"
        }
    }

    /// Lives as long as the program.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount) }

    /// Whether the next one to ask about the same file is to have another try.
    var passes: Bool {
        switch self {
        case .gone, .changed, .busy, .unreadable: true
        case .tooLarge, .networkFileSystem, .off: false
        }
    }
}

/// Where the file of an event may be found.
package struct FileSource {
    package enum What: Sendable {
        /// What the process runs (/proc/PID/exe).
        case executable
        /// A file that it named.
        case file
    }

    package var what: What
    /// Of the process that acted, in the initial pid namespace; `start`: start_boottime of its leader, nanoseconds.
    package var pid: UInt32
    package var start: UInt64
    /// 0: not known.
    package var parent: UInt32
    /// When, nanoseconds since 1970.
    package var time: UInt64
    /// The host's path; empty: there is none.
    package var hostPath: UnsafeRawBufferPointer
    /// In the actor's mount namespace; empty: not known.
    package var actorPath: UnsafeRawBufferPointer

    package init(
        _ what: What, pid: UInt32, start: UInt64, parent: UInt32, time: UInt64, hostPath: UnsafeRawBufferPointer, actorPath: UnsafeRawBufferPointer
    ) {
        self.what = what
        self.pid = pid
        self.start = start
        self.parent = parent
        self.time = time
        self.hostPath = hostPath
        self.actorPath = actorPath
    }
}
