public import KernelABI

/// The process that acts; for an exec as it is after it, for a fork the child. Ids are those of the initial namespaces.
public struct ActorView: ~Escapable {
    public let bytes: RawSpan

    /// The caller passes exactly the bytes of an `hv_actor`.
    @inlinable @inline(__always) @_lifetime(copy bytes)
    init(validated bytes: RawSpan) { self.bytes = bytes }

    /// The actor of a record; nil where its kind has none, or the bytes are too few.
    @inlinable @inline(__always) @_lifetime(copy record)
    public init?(_ record: RawSpan) {
        guard let header = HeaderView(record), record.byteCount >= Self.end else { return nil }
        switch UInt32(header.kind) {
        case HV_KIND_EXEC.rawValue, HV_KIND_FORK.rawValue, HV_KIND_EXIT.rawValue, HV_KIND_FILE.rawValue, HV_KIND_MODULE.rawValue,
            HV_KIND_NAMESPACE.rawValue, HV_KIND_PROCESS.rawValue:
            // Behind the header in all of them (bpf/record.h).
            bytes = record.extracting(MemoryLayout<hv_header>.size..<Self.end)
        default: return nil
        }
    }

    @inlinable static var end: Int { @inline(__always) get { MemoryLayout<hv_header>.size &+ MemoryLayout<hv_actor>.size } }

    /// start_boottime of the thread group's leader, nanoseconds.
    @inlinable public var start: UInt64 { bytes.field(\hv_actor.start) }
    /// The same of the real parent's leader.
    @inlinable public var parentStart: UInt64 { bytes.field(\hv_actor.parent_start) }
    /// Id of its cgroup, in its hierarchy.
    @inlinable public var cgroup: UInt64 { Self.cgroupID(bytes.field(\hv_actor.cgroup)) }
    /// That hierarchy: 0 for v2, else as /proc/cgroups numbers it.
    @inlinable public var cgroupHierarchy: UInt8 { UInt8(truncatingIfNeeded: bytes.field(\hv_actor.cgroup) &>> UInt64(HV_CGROUP_SHIFT)) }

    /// Both in one number: `HV_CGROUP()`.
    @inlinable public var cgroupKey: UInt64 { bytes.field(\hv_actor.cgroup) }

    /// `HV_CGROUP_ID()`.
    @inlinable @inline(__always)
    public static func cgroupID(_ cgroup: UInt64) -> UInt64 { cgroup & (1 &<< UInt64(HV_CGROUP_SHIFT) &- 1) }

    /// Effective capabilities, bit n is capability n.
    @inlinable public var capabilities: UInt64 { bytes.field(\hv_actor.capabilities) }
    @inlinable public var pid: UInt32 { bytes.field(\hv_actor.pid) }
    @inlinable public var tid: UInt32 { bytes.field(\hv_actor.tid) }
    @inlinable public var parentPid: UInt32 { bytes.field(\hv_actor.parent_pid) }
    @inlinable public var uid: UInt32 { bytes.field(\hv_actor.uid) }
    @inlinable public var gid: UInt32 { bytes.field(\hv_actor.gid) }
    @inlinable public var effectiveUid: UInt32 { bytes.field(\hv_actor.euid) }
    @inlinable public var effectiveGid: UInt32 { bytes.field(\hv_actor.egid) }
    @inlinable public var savedUid: UInt32 { bytes.field(\hv_actor.suid) }
    @inlinable public var savedGid: UInt32 { bytes.field(\hv_actor.sgid) }
    /// Audit login user; `UInt32.max`: none.
    @inlinable public var loginUid: UInt32 { bytes.field(\hv_actor.login_uid) }
    /// Audit session; `UInt32.max`: none.
    @inlinable public var session: UInt32 { bytes.field(\hv_actor.session) }
    /// Device of the controlling terminal, major << 20 | minor; 0: none.
    @inlinable public var terminal: UInt32 { bytes.field(\hv_actor.tty) }
    /// `PF_*` of linux/sched.h.
    @inlinable public var taskFlags: UInt32 { bytes.field(\hv_actor.task_flags) }
    /// Inode numbers of its namespaces; 0 where an exiting task has none any more.
    @inlinable public var mountNamespace: UInt32 { bytes.field(\hv_actor.ns_mount) }
    @inlinable public var pidNamespace: UInt32 { bytes.field(\hv_actor.ns_pid) }
    @inlinable public var userNamespace: UInt32 { bytes.field(\hv_actor.ns_user) }
    @inlinable public var networkNamespace: UInt32 { bytes.field(\hv_actor.ns_network) }
    @inlinable public var ipcNamespace: UInt32 { bytes.field(\hv_actor.ns_ipc) }
    @inlinable public var utsNamespace: UInt32 { bytes.field(\hv_actor.ns_uts) }
    @inlinable public var cgroupNamespace: UInt32 { bytes.field(\hv_actor.ns_cgroup) }
    /// The task's name, at most 15 bytes of any value but NUL.
    @inlinable public var name: RawSpan { @_lifetime(copy self) get { bytes.name(\hv_actor.comm) } }
    @inlinable public var parentName: RawSpan { @_lifetime(copy self) get { bytes.name(\hv_actor.parent_comm) } }
}
