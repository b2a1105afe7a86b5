internal import Glibc
internal import KernelABI
internal import Rings

extension TextRenderer {
    /// The object of a change of a file, and what was done to it.
    mutating func describe(_ view: borrowing FileView, _ action: Action, _ outcome: Outcome, _ resolution: borrowing Resolution) {
        if action == .mount { return mount(view, resolution) }
        object.appendPath(joined.path(view, resolution))
        let before = view.object
        switch action {
        case .rename, .link, .symlink: second.appendPath(joined.target(view, resolution))
        case .truncate: truncate(view, view.object(after: action, outcome, resolution).size, outcome)
        case .chmod:
            guard view.value != .max else { return }
            object.appendCursor { cursor in
                cursor.put(" (")
                if before.inode != 0 {
                    cursor.octal(before.mode)
                    cursor.put(" to ")
                }
                cursor.octal(UInt32(truncatingIfNeeded: view.value))
                cursor.put(")")
            }
        case .chown: owner(view)
        case .mknod:
            guard view.isDeviceNode else { return }
            let block = UInt32(truncatingIfNeeded: view.value) & UInt32(S_IFMT) == UInt32(S_IFBLK)
            object.appendCursor { cursor in
                if block { cursor.put(" (block ") } else { cursor.put(" (character ") }
                cursor.device(UInt32(truncatingIfNeeded: view.value2))
                cursor.put(")")
            }
        case .setxattr, .removexattr:
            object.append(" ")
            object.appendPrintable(borrowed(view.text))
            if action == .setxattr { size(" (", view.value) }
        case .setflags: flags(view)
        case .kernelParameter: size(" (", view.value)
        default: break
        }
    }

    /// Sizes before and after; of an attempt that failed, none after.
    private mutating func truncate(_ view: borrowing FileView, _ after: UInt64, _ outcome: Outcome) {
        if case .failure = outcome { return }
        guard after != .max, view.object.inode != 0 else { return size(" (to ", after) }
        object.appendCursor { cursor in
            cursor.put(" (")
            cursor.number(view.object.size)
        }
        size(" to ", after)
    }

    /// Bytes, and the end of a remark.
    private mutating func size(_ before: StaticString, _ bytes: UInt64) {
        guard bytes != .max else { return }
        object.appendCursor { cursor in
            cursor.put(before)
            cursor.number(bytes)
            if bytes == 1 { cursor.put(" byte)") } else { cursor.put(" bytes)") }
        }
    }

    private mutating func owner(_ view: borrowing FileView) {
        let before = view.object
        object.appendCursor { cursor in
            func put(_ user: UInt64, _ group: UInt64) {
                if user != .max { cursor.number(user) }
                cursor.put(":")
                if group != .max { cursor.number(group) }
            }
            cursor.put(" (")
            if before.inode != 0 {
                put(UInt64(before.uid), UInt64(before.gid))
                cursor.put(" to ")
            }
            put(view.value, view.value2)
            cursor.put(")")
        }
    }

    /// What comes and what goes, as chattr(1) writes it, or all that was asked for where what there was is not known.
    private mutating func flags(_ view: borrowing FileView) {
        guard view.value != .max else { return }
        let before = view.value2 == .max ? 0 : view.value2
        let (come, gone) = (view.value & ~before, before & ~view.value)
        object.appendCursor { cursor in
            FlagWords.each(come, hv_file_flag_name) { word in
                cursor.put(" +")
                if let start = word.baseAddress { cursor.copy(start, word.count) }
            }
            FlagWords.each(gone, hv_file_flag_name) { word in
                cursor.put(" -")
                if let start = word.baseAddress { cursor.copy(start, word.count) }
            }
        }
    }

    /// As mount(8) lists them, with the operation before the flags where it is not a plain one.
    private mutating func mount(_ view: borrowing FileView, _ resolution: borrowing Resolution) {
        let source = borrowed(view.text)
        if source.count > 0 {
            object.appendPrintable(source)
            object.append(" on ")
        }
        object.appendPath(joined.path(view, resolution))
        let type = borrowed(view.text2)
        if type.count > 0 {
            object.append(" type ")
            object.appendPrintable(type)
        }
        var operation = UnsafeRawBufferPointer(start: nil, count: 0)
        if view.value2 != HV_MOUNT_NEW.rawValue, let name = view.mountOperation {
            operation = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        }
        let flags = view.mountFlags
        object.appendCursor { cursor in
            let empty = cursor
            cursor.put(" (")
            let open = cursor.position
            if let start = operation.baseAddress {
                cursor.copy(start, operation.count)
                cursor.put(" ")
            }
            FlagWords.each(flags, hv_mount_flag_name) { word in
                // Said already.
                guard let start = word.baseAddress, !word.hasSameBytes(as: operation) else { return }
                cursor.copy(start, word.count)
                cursor.put(" ")
            }
            if cursor.position == open { cursor = empty } else {
                cursor.position -= 1
                cursor.put(")")
            }
        }
    }
}

extension ByteWriter {
    fileprivate mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// For numbers and words of flags: those are 33 at most, and short.
    fileprivate mutating func appendCursor(_ body: (inout Cursor) -> Void) {
        var cursor = reserve(1024)
        body(&cursor)
        commit(cursor)
    }
}
