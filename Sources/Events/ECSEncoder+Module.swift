internal import KernelABI
public import Rings

extension ECSEncoder {
    /// A kernel module loaded, refused, unloaded or asked for.
    ///
    /// - Returns: false, and nothing is written, where the action is not known.
    @discardableResult
    public mutating func encode(_ view: borrowing ModuleView, _ resolution: borrowing Resolution, into writer: inout ByteWriter) -> Bool {
        guard let action = Action(moduleAction: view.action) else { return false }
        var cursor = writer.reserve(bound(view.bytes, resolution))
        let header = view.header
        begin(header, action, resolution.outcome ?? view.recordedOutcome, severity: action.severity, ordinal: resolution.ordinal, &cursor)
        let actor = parts(view.actor, resolution.actor)
        processAndUser(actor, &cursor)

        let fromFile = view.source == HV_MODULE_SOURCE_FILE.rawValue
        var path = DescribedPath(bytes: UnsafeRawBufferPointer(start: nil, count: 0), flags: [])
        let object = view.file
        if fromFile {
            path = joined.path(view, resolution)
            cursor.put(",\"file\":{")
            file(path.bytes, &cursor)
            Self.fileHash(resolution, &cursor)
            if object.inode != 0 {
                Self.write(object, &cursor)
                cursor.put("\"mtime\":\"")
                times.write(nanoseconds: Int64(bitPattern: object.mtime), &cursor)
                cursor.put("\",")
            }
            cursor.closeObject()
        }

        own(header, view.actor, actor, &cursor)
        cursor.put("}")
        module(view, action, resolution, &cursor)
        if fromFile {
            let empty = cursor
            cursor.put(",\"path\":{")
            let open = cursor.position
            if !path.flags.isEmpty {
                cursor.put("\"flags\":")
                Self.write(path.flags, &cursor)
                cursor.put(",")
            }
            let actorPath = borrowed(view.filePath)
            if actorPath.count > 0, !actorPath.hasSameBytes(as: path.bytes) {
                cursor.put("\"actor\":\"")
                string(actorPath, .pathActor, &cursor)
                cursor.put("\",")
            }
            let inner = borrowed(view.fileInner)
            if inner.count > 0, !inner.hasSameBytes(as: path.bytes) {
                cursor.put("\"inner\":\"")
                string(inner, .pathInner, &cursor)
                cursor.put("\",")
            }
            if cursor.position == open { cursor = empty } else { cursor.closeObject() }
        }
        finish(redacted: resolution.redacted, &cursor)
        writer.commit(cursor)
        return true
    }

    /// `hypervigil.module`.
    @inline(__always)
    private mutating func module(_ view: borrowing ModuleView, _ action: Action, _ resolution: borrowing Resolution, _ cursor: inout Cursor) {
        let header = view.header
        cursor.put(",\"module\":{")
        let name = borrowed(view.name)
        if name.count > 0 {
            cursor.put("\"name\":\"")
            string(name, .moduleName, &cursor)
            cursor.put("\",")
        }
        if action == .moduleLoad {
            let arguments = borrowed(view.arguments)
            cursor.put("\"args\":\"")
            string(arguments, .moduleArgs, &cursor)
            cursor.put("\",")
            if Int(view.argumentSize) > arguments.count || view.flags(of: HV_MODULE_ARGS).contains(.truncated) { cursor.put("\"args_truncated\":true,") }
            if view.flags(of: HV_MODULE_ARGS).contains(.fault) { cursor.put("\"args_unreadable\":true,") }
            if view.source == HV_MODULE_SOURCE_FILE.rawValue {
                cursor.put("\"source\":\"file\",")
                Self.fileHashFailure(resolution, &cursor)
            } else if view.source == HV_MODULE_SOURCE_MEMORY.rawValue {
                cursor.put("\"source\":\"memory\",")
            }
            if header.has(HV_MODULE_SIGNED_KNOWN) {
                cursor.put("\"signed\":")
                cursor.boolean(header.has(HV_MODULE_SIGNED))
                cursor.put(",")
            }
            if header.has(HV_MODULE_LOADED) {
                cursor.put("\"in_tree\":")
                cursor.boolean(view.taints & Taints.outOfTree == 0)
                cursor.put(",\"taints\":")
                Taints.write(view.taints, &cursor)
                cursor.put(",")
            }
            let hint = borrowed(view.hint)
            if hint.count > 0 {
                cursor.put("\"file_hint\":\"")
                string(hint, .moduleHint, &cursor)
                cursor.put("\",")
                let object = view.file
                if object.inode != 0, view.source != HV_MODULE_SOURCE_FILE.rawValue {
                    cursor.put("\"hint\":{")
                    Self.write(object, &cursor)
                    cursor.closeObject()
                    cursor.put(",")
                }
            }
        } else if action == .moduleRequest {
            cursor.put("\"wait\":")
            cursor.boolean(view.waits)
            cursor.put(",")
        }
        cursor.closeObject()
    }
}

extension Action {
    package init?(moduleAction: UInt32) {
        switch moduleAction {
        case HV_MODULE_LOAD.rawValue: self = .moduleLoad
        case HV_MODULE_UNLOAD.rawValue: self = .moduleUnload
        case HV_MODULE_REQUEST.rawValue: self = .moduleRequest
        default: return nil
        }
    }
}

extension ModuleView {
    /// Unknown where the hook for results is missing, and for a request, which is over only when modprobe is.
    package var recordedOutcome: Outcome {
        if error == 0, header.has(HV_MODULE_RESULT_UNKNOWN) || action == HV_MODULE_REQUEST.rawValue { return .unknown }
        return Outcome(error: error)
    }
}

/// A module's taint bits by the names of include/linux/panic.h, lower case and without TAINT_.
package enum Taints {
    package static let names: [StaticString] = [
        "proprietary_module", "forced_module", "cpu_out_of_spec", "forced_rmmod", "machine_check", "bad_page", "user", "die",
        "overridden_acpi_table", "warn", "crap", "firmware_workaround", "oot_module", "unsigned_module", "softlockup", "livepatch", "aux",
        "randstruct", "test", "fwctl",
    ]
    /// TAINT_OOT_MODULE
    package static let outOfTree: UInt64 = 1 << 12

    /// An array of names; a bit that has none here is `bit_<number>`.
    @inline(never)
    static func write(_ taints: UInt64, _ cursor: inout Cursor) {
        cursor.put("[")
        var rest = taints
        while rest != 0 {
            let bit = rest.trailingZeroBitCount
            rest &= rest &- 1
            cursor.put("\"")
            if bit < names.count {
                cursor.copy(names[bit].utf8Start, names[bit].utf8CodeUnitCount)
            } else {
                cursor.put("bit_")
                cursor.number(UInt64(bit))
            }
            cursor.put("\",")
        }
        cursor.closeArray()
    }
}
