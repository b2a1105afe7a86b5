internal import Glibc
package import KernelABI
public import Rings

extension ECSEncoder {
    /// A change of a file.
    ///
    /// - Returns: false, and nothing is written, where the action is not known.
    @discardableResult
    public mutating func encode(_ view: borrowing FileView, _ resolution: borrowing Resolution, into writer: inout ByteWriter) -> Bool {
        guard let action = Action(fileAction: view.action) else { return false }
        var cursor = writer.reserve(bound(view.bytes, resolution))
        let header = view.header
        let outcome = resolution.outcome ?? view.recordedOutcome
        begin(header, action, outcome, severity: action.severity, ordinal: resolution.ordinal, &cursor)
        let actor = parts(view.actor, resolution.actor)
        processAndUser(actor, &cursor)

        let path = joined.path(view, resolution)
        let target = joined.target(view, resolution)
        cursor.put(",\"file\":{")
        file(path.bytes, &cursor)
        if target.bytes.count > 0 {
            cursor.put("\"target_path\":\"")
            string(target.bytes, .fileTargetPath, &cursor)
            cursor.put("\",")
        }
        let object = view.object(after: action, outcome, resolution)
        if object.inode != 0 {
            Self.write(object, &cursor)
            cursor.put("\"mtime\":\"")
            times.write(nanoseconds: Int64(bitPattern: object.mtime), &cursor)
            cursor.put("\",")
        } else {
            Self.type(object.mode, &cursor)
            // By a name alone the length is known all the same.
            if action == .truncate, case .success = outcome, object.size != .max {
                cursor.put("\"size\":")
                cursor.long(object.size)
                cursor.put(",")
            }
        }
        cursor.closeObject()

        own(header, view.actor, actor, &cursor)
        cursor.put("}")
        description(view, path, &cursor)
        if action == .rename || action == .link || action == .symlink { victim(view, target, &cursor) }
        written(view, action, &cursor)
        changed(view, action, &cursor)
        if action == .mount || action == .umount { mounted(view, action, &cursor) }
        finish(redacted: resolution.redacted, &cursor)
        writer.commit(cursor)
        return true
    }

    /// `path`, `name`, `directory` and `extension` of `file`, each with a comma behind it.
    @inline(__always)
    mutating func file(_ path: UnsafeRawBufferPointer, _ cursor: inout Cursor) {
        guard let start = path.baseAddress, path.count > 0 else { return }
        cursor.put("\"path\":\"")
        let (end, replaced) = JSONString.write(start, path.count, to: cursor.position)
        // What is escaped becomes longer. A path that is written as it is has parts that are.
        let plain = !replaced && end - cursor.position == path.count
        cursor.position = end
        if replaced { raw.note(.filePath, path) }
        cursor.put("\",")
        var nameStart = 0
        if let slash = path.lastIndex(of: UInt8(ascii: "/"), from: 0) {
            nameStart = slash &+ 1
            cursor.put("\"directory\":\"")
            part(UnsafeRawBufferPointer(start: start, count: max(slash, 1)), plain, .fileDirectory, &cursor)
            cursor.put("\",")
        }
        guard nameStart < path.count else { return }
        cursor.put("\"name\":\"")
        part(UnsafeRawBufferPointer(start: start + nameStart, count: path.count &- nameStart), plain, .fileName, &cursor)
        cursor.put("\",")
        // The dot of a hidden file begins no extension.
        guard let dot = path.lastIndex(of: UInt8(ascii: "."), from: nameStart &+ 1), dot &+ 1 < path.count else { return }
        cursor.put("\"extension\":\"")
        part(UnsafeRawBufferPointer(start: start + dot + 1, count: path.count &- dot &- 1), plain, .fileExtension, &cursor)
        cursor.put("\",")
    }

    /// The inside of a JSON string, copied where the whole that it is a part of was `plain`.
    @inline(__always)
    private mutating func part(_ bytes: UnsafeRawBufferPointer, _ plain: Bool, _ field: RawField, _ cursor: inout Cursor) {
        guard plain, let start = bytes.baseAddress else { return string(bytes, field, &cursor) }
        cursor.copy(start, bytes.count)
    }

    /// An inode's fields by their ECS names, each with a comma behind it.
    @inline(__always)
    static func write(_ object: hv_object, _ cursor: inout Cursor) {
        cursor.put("\"inode\":")
        cursor.quoted(object.inode)
        cursor.put(",\"device\":\"")
        cursor.device(object.device)
        cursor.put("\",\"mode\":\"")
        cursor.octal(object.mode)
        cursor.put("\",\"uid\":")
        cursor.owner(object.uid)
        cursor.put(",\"gid\":")
        cursor.owner(object.gid)
        // All ones: not known.
        if object.size != .max {
            cursor.put(",\"size\":")
            cursor.long(object.size)
        }
        cursor.put(",")
        type(object.mode, &cursor)
    }

    /// `type` of a `st_mode`, with a comma behind it.
    @inline(__always)
    static func type(_ mode: UInt32, _ cursor: inout Cursor) {
        switch mode & UInt32(S_IFMT) {
        case UInt32(S_IFREG): cursor.put("\"type\":\"file\",")
        case UInt32(S_IFDIR): cursor.put("\"type\":\"dir\",")
        case UInt32(S_IFLNK): cursor.put("\"type\":\"symlink\",")
        case UInt32(S_IFCHR): cursor.put("\"type\":\"character\",")
        case UInt32(S_IFBLK): cursor.put("\"type\":\"block\",")
        case UInt32(S_IFIFO): cursor.put("\"type\":\"fifo\",")
        case UInt32(S_IFSOCK): cursor.put("\"type\":\"socket\",")
        default: break
        }
    }

    /// An array of names.
    @inline(never)
    static func write(_ flags: PathFlags, _ cursor: inout Cursor) {
        cursor.put("[")
        if flags.contains(.truncated) { cursor.put("\"truncated\",") }
        if flags.contains(.deleted) { cursor.put("\"deleted\",") }
        if flags.contains(.unreachable) { cursor.put("\"unreachable\",") }
        if flags.contains(.fault) { cursor.put("\"unreadable\",") }
        cursor.closeArray()
    }

    /// `hypervigil.path`: flags, and the other descriptions of the object where they differ.
    @inline(__always)
    private mutating func description(_ view: borrowing FileView, _ path: DescribedPath, _ cursor: inout Cursor) {
        let empty = cursor
        cursor.put(",\"path\":{")
        let open = cursor.position
        if view.header.has(HV_FILE_SPELLED) {
            spelled(path, borrowed(view.name), .pathSpelled, &cursor)
        } else {
            members(path, actor: borrowed(view.actorPath), inner: borrowed(view.inner), (.pathActor, .pathInner), &cursor)
        }
        if cursor.position == open { cursor = empty } else { cursor.closeObject() }
    }

    /// `hypervigil.target`: the same of where it went, and the inode that was there before; of a symbolic link only whether what
    /// it points to is whole.
    @inline(__always)
    private mutating func victim(_ view: borrowing FileView, _ path: DescribedPath, _ cursor: inout Cursor) {
        let empty = cursor
        cursor.put(",\"target\":{")
        let open = cursor.position
        if view.header.has(HV_FILE_TARGET_SPELLED) {
            spelled(path, borrowed(view.targetName), .targetSpelled, &cursor)
        } else {
            members(path, actor: borrowed(view.targetActorPath), inner: borrowed(view.targetInner), (.targetActor, .targetInner), &cursor)
        }
        let target = view.target
        if target.inode != 0 { Self.write(target, &cursor) }
        if view.header.has(HV_FILE_EXCHANGE) { cursor.put("\"exchange\":true") }
        if cursor.position == open { cursor = empty } else { cursor.closeObject() }
    }

    @inline(__always)
    private mutating func members(
        _ path: DescribedPath, actor: UnsafeRawBufferPointer, inner: UnsafeRawBufferPointer, _ fields: (RawField, RawField),
        _ cursor: inout Cursor
    ) {
        pathFlags(path, &cursor)
        if actor.count > 0, !actor.hasSameBytes(as: path.bytes) {
            cursor.put("\"actor\":\"")
            string(actor, fields.0, &cursor)
            cursor.put("\",")
        }
        if inner.count > 0, !inner.hasSameBytes(as: path.bytes) {
            cursor.put("\"inner\":\"")
            string(inner, fields.1, &cursor)
            cursor.put("\",")
        }
    }
}

extension ECSEncoder {
    /// Of a name as the caller spelled it: what the kernel has beside it is the directory it is relative to, not the object.
    @inline(never)
    private mutating func spelled(_ path: DescribedPath, _ name: UnsafeRawBufferPointer, _ field: RawField, _ cursor: inout Cursor) {
        pathFlags(path, &cursor)
        cursor.put("\"spelled\":\"")
        string(name, field, &cursor)
        cursor.put("\",")
    }

    @inline(__always)
    private func pathFlags(_ path: DescribedPath, _ cursor: inout Cursor) {
        guard !path.flags.isEmpty else { return }
        cursor.put("\"flags\":")
        Self.write(path.flags, &cursor)
        cursor.put(",")
    }
}

extension Action {
    package init?(fileAction: UInt32) {
        switch fileAction {
        case HV_FILE_CREATE.rawValue: self = .create
        case HV_FILE_WRITE.rawValue: self = .write
        case HV_FILE_RENAME.rawValue: self = .rename
        case HV_FILE_DELETE.rawValue: self = .delete
        case HV_FILE_TRUNCATE.rawValue: self = .truncate
        case HV_FILE_LINK.rawValue: self = .link
        case HV_FILE_SYMLINK.rawValue: self = .symlink
        case HV_FILE_MKDIR.rawValue: self = .mkdir
        case HV_FILE_RMDIR.rawValue: self = .rmdir
        case HV_FILE_MKNOD.rawValue: self = .mknod
        case HV_FILE_CHMOD.rawValue: self = .chmod
        case HV_FILE_CHOWN.rawValue: self = .chown
        case HV_FILE_UTIMES.rawValue: self = .utimes
        case HV_FILE_SETXATTR.rawValue: self = .setxattr
        case HV_FILE_REMOVEXATTR.rawValue: self = .removexattr
        case HV_FILE_SETFLAGS.rawValue: self = .setflags
        case HV_FILE_MMAP_WRITE.rawValue: self = .mmapWrite
        case HV_FILE_MOUNT.rawValue: self = .mount
        case HV_FILE_UMOUNT.rawValue: self = .umount
        case HV_FILE_PARAMETER.rawValue: self = .kernelParameter
        default: return nil
        }
    }
}

extension FileView {
    /// As the record has it, before a result is joined.
    package var recordedOutcome: Outcome {
        error == 0 && header.has(HV_FILE_PENDING) ? .unknown : Outcome(error: error)
    }

    /// The object as the act left it, as far as that is known. Of one that was to be made and is not known, the type alone.
    @inline(__always)
    package func object(after action: Action, _ outcome: Outcome, _ resolution: borrowing Resolution) -> hv_object {
        var object = resolution.object.inode != 0 ? resolution.object : self.object
        switch action {
        case .truncate:
            if resolution.value != .max {
                object.size = resolution.value
            } else if resolution.object.inode == 0 {
                // The record has the size before; one that was refused stays what it was.
                if case .failure = outcome { break }
                object.size = value
            }
        case .mkdir where object.inode == 0: object.mode = UInt32(S_IFDIR)
        case .symlink where object.inode == 0: object.mode = UInt32(S_IFLNK)
        case .mknod where object.inode == 0: object.mode = UInt32(truncatingIfNeeded: value)
        default: break
        }
        return object
    }
}

extension UnsafeRawBufferPointer {
    /// The last place of a byte at or behind `from`.
    @inline(__always)
    package func lastIndex(of byte: UInt8, from: Int) -> Int? {
        guard let start = baseAddress else { return nil }
        var index = count
        while index > from {
            index &-= 1
            if start.load(fromByteOffset: index, as: UInt8.self) == byte { return index }
        }
        return nil
    }

    @inline(__always)
    package func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count, let mine = baseAddress, let others = other.baseAddress else { return count == other.count }
        return memcmp(mine, others, count) == 0
    }
}
