public import KernelABI

/// A kernel module loaded, refused, unloaded or asked for.
public struct ModuleView: ~Escapable {
    public let bytes: RawSpan

    /// Nil where the bytes are not one whole `hv_module` with its strings.
    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.isRecord(hv_module.self, kind: HV_KIND_MODULE, slots: Int(HV_MODULE_STRINGS.rawValue), at: Self.slots) else {
            return nil
        }
        self.bytes = bytes
    }

    @inlinable static var slots: Int { @inline(__always) get { MemoryLayout<hv_module>.offset(of: \.strings).unsafelyUnwrapped } }

    @inlinable public var header: HeaderView { @_lifetime(copy self) get { HeaderView(validated: bytes) } }
    @inlinable public var actor: ActorView { @_lifetime(copy self) get { ActorView(validated: bytes.member(\hv_module.actor)) } }
    /// Of a load from a file; with a hint, the hint's.
    @inlinable public var file: hv_object { bytes.field(\hv_module.file) }
    /// When `file` was last changed, its attributes included, ns since 1970; 0 where there is none.
    @inlinable public var fileChanged: UInt64 { bytes.field(\hv_module.file_ctime) }
    /// The module's own taint bits (linux/panic.h, TAINT_*); the kernel's only with `HV_MODULE_LOADED`.
    @inlinable public var taints: UInt64 { bytes.field(\hv_module.taints) }
    /// An `hv_module_action`, or a number this program does not know.
    @inlinable public var action: UInt32 { bytes.field(\hv_module.action) }
    /// An `hv_module_source`, or a number this program does not know.
    @inlinable public var source: UInt32 { bytes.field(\hv_module.source) }
    /// 0 or a negative errno.
    @inlinable public var error: Int32 { bytes.field(\hv_module.error) }
    /// True size of the arguments in bytes, NUL excluded.
    @inlinable public var argumentSize: UInt32 { bytes.field(\hv_module.args_size) }
    /// Request: whether the requester waits.
    @inlinable public var waits: Bool { bytes.field(\hv_module.wait) != 0 }

    @inlinable public var name: RawSpan { @_lifetime(copy self) get { string(HV_MODULE_NAME) } }
    @inlinable public var arguments: RawSpan { @_lifetime(copy self) get { string(HV_MODULE_ARGS) } }
    /// In the actor's mount namespace.
    @inlinable public var filePath: RawSpan { @_lifetime(copy self) get { string(HV_MODULE_FILE) } }
    /// From the root of its file system.
    @inlinable public var fileInner: RawSpan { @_lifetime(copy self) get { string(HV_MODULE_FILE_INNER) } }
    /// Source memory: the last *.ko* that the process had open, in its mount namespace.
    @inlinable public var hint: RawSpan { @_lifetime(copy self) get { string(HV_MODULE_HINT) } }

    @inlinable @inline(__always) @_lifetime(copy self)
    public func string(_ slot: hv_module_string) -> RawSpan { bytes.string(Int(slot.rawValue), of: hv_module.self, at: Self.slots) }

    @inlinable @inline(__always)
    public func flags(of slot: hv_module_string) -> StringFlags { bytes.stringFlags(Int(slot.rawValue), at: Self.slots) }
}
