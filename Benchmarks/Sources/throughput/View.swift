internal import CThroughput
internal import Glibc
internal import KernelABI
internal import Rings

/// What bench_c_view works out of a record, through the views.
extension bench_digest {
    @inline(__always)
    mutating func add(_ record: RawSpan) {
        records &+= 1
        bytes &+= UInt64(record.byteCount)
        guard let header = HeaderView(record) else { return }
        switch UInt32(header.kind) {
        case HV_KIND_EXEC.rawValue:
            guard let view = ExecView(record) else { return }
            let object = view.executableObject
            mixed ^=
                header.time ^ header.sequence ^ UInt64(header.flags) ^ Self.mix(view.actor) ^ object.inode ^ UInt64(object.device)
                ^ UInt64(view.argumentCount)
            mixed &+= Self.end(view.arguments)
            if Self.isLibrary(view.executable) { hits &+= 1 }
        case HV_KIND_FILE.rawValue:
            guard let view = FileView(record) else { return }
            let object = view.object
            mixed ^=
                header.time ^ header.sequence ^ UInt64(header.flags) ^ Self.mix(view.actor) ^ object.inode ^ UInt64(object.device)
                ^ UInt64(view.action) ^ view.operations
            mixed &+= Self.end(view.actorPath)
            if Self.isLibrary(view.inner) { hits &+= 1 }
        case HV_KIND_EXIT.rawValue:
            guard let view = ExitView(record) else { return }
            mixed ^= header.time ^ header.sequence ^ Self.mix(view.actor) ^ UInt64(view.status)
        default: break
        }
    }

    @inline(__always)
    private static func mix(_ actor: borrowing ActorView) -> UInt64 {
        let times = actor.start ^ actor.parentStart ^ actor.cgroup ^ actor.capabilities
        let ids = actor.pid ^ actor.tid ^ actor.parentPid ^ actor.uid ^ actor.effectiveUid ^ actor.loginUid
        return times ^ UInt64(ids)
    }

    /// The last byte and the length: whoever has these has found the string.
    @inline(__always)
    private static func end(_ string: RawSpan) -> UInt64 {
        let count = string.byteCount
        guard count > 0 else { return 0 }
        return UInt64(count) &+ UInt64(string.unsafeLoad(fromUncheckedByteOffset: count &- 1, as: UInt8.self))
    }

    @inline(__always)
    private static func isLibrary(_ path: RawSpan) -> Bool {
        let prefix: StaticString = "/usr/lib/"
        return path.withUnsafeBytes {
            guard let start = $0.baseAddress, $0.count >= prefix.utf8CodeUnitCount else { return false }
            return memcmp(start, prefix.utf8Start, prefix.utf8CodeUnitCount) == 0
        }
    }
}

extension bench_digest {
    func isSame(as other: bench_digest) -> Bool {
        records == other.records && bytes == other.bytes && mixed == other.mixed && hits == other.hits
    }
}
