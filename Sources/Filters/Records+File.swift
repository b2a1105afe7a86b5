internal import Events
internal import FilterLanguage
internal import KernelABI
internal import Rings

extension FileView: FilteredRecord {
    var actionSet: ActionSet { .file(action) }

    func outcome(_ resolution: borrowing Resolution) -> Outcome { resolution.outcome ?? recordedOutcome }

    func severity(_ outcome: Outcome) -> UInt32 { Action(fileAction: action)?.severity ?? 0 }

    @inline(__always)
    func holds(_ test: TextTest, of field: Field, _ resolution: borrowing Resolution, _ evaluation: borrowing Evaluation) -> Bool {
        switch field {
        case .file(.path): return evaluation.holdsSome(test, evaluation.paths.path(self, resolution).bytes)
        case .file(.targetPath): return evaluation.holdsSome(test, evaluation.paths.target(self, resolution).bytes)
        case .file(.name), .file(.directory), .file(.fileExtension):
            guard let part = PathPart(field) else { return false }
            return evaluation.holds(test, part, of: evaluation.paths.path(self, resolution).bytes)
        default: return holdsOther(test, of: field, resolution, evaluation)
        }
    }

    @inline(never)
    private func holdsOther(_ test: TextTest, of field: Field, _ resolution: borrowing Resolution, _ evaluation: borrowing Evaluation) -> Bool {
        switch field {
        case .file(let field):
            if let holds = holdsPath(test, field, resolution, evaluation) { return holds }
            return holdsChange(test, field, evaluation)
        case .object(.file, let field):
            guard let object = object(resolution) else { return false }
            // Of what is known by its name alone the type may be known all the same.
            return (object.inode != 0 || field == .type) && evaluation.object(field, test, object)
        case .object(.target, let field): return hasTarget && target.inode != 0 && evaluation.object(field, test, target)
        default: return false
        }
    }

    /// Nil where the field is none of these.
    private func holdsPath(
        _ test: TextTest, _ field: FileField, _ resolution: borrowing Resolution, _ evaluation: borrowing Evaluation
    ) -> Bool? {
        let spelled = header.has(HV_FILE_SPELLED), targetSpelled = header.has(HV_FILE_TARGET_SPELLED)
        switch field {
        case .pathFlags: return evaluation.any(test, evaluation.paths.path(self, resolution).flags)
        case .spelledPath: return spelled && evaluation.holds(test, borrowed(name))
        case .actorPath, .innerPath:
            guard !spelled else { return false }
            let path = evaluation.paths.path(self, resolution).bytes
            return evaluation.holds(test, field == .actorPath ? borrowed(actorPath) : borrowed(inner), butNot: path)
        case .targetFlags:
            guard hasTarget else { return false }
            return evaluation.any(test, evaluation.paths.target(self, resolution).flags)
        case .targetSpelled: return hasTarget && targetSpelled && evaluation.holds(test, borrowed(targetName))
        case .targetActorPath, .targetInnerPath:
            guard hasTarget, !targetSpelled else { return false }
            let path = evaluation.paths.target(self, resolution).bytes
            return evaluation.holds(test, field == .targetActorPath ? borrowed(targetActorPath) : borrowed(targetInner), butNot: path)
        default: return nil
        }
    }

    private func holdsChange(_ test: TextTest, _ field: FileField, _ evaluation: borrowing Evaluation) -> Bool {
        switch (field, hv_file_action(action)) {
        case (.via, _):
            guard let action = Action(fileAction: action) else { return false }
            return evaluation.any(test, UInt64(ways(action)), WriteWays.names)
        case (.newMode, HV_FILE_CHMOD), (.newMode, HV_FILE_MKDIR), (.newMode, HV_FILE_MKNOD):
            return value != .max && evaluation.mode(test, UInt32(truncatingIfNeeded: value))
        case (.modeBefore, HV_FILE_CHMOD): return object.inode != 0 && evaluation.mode(test, object.mode)
        case (.xattr, HV_FILE_SETXATTR), (.xattr, HV_FILE_REMOVEXATTR): return evaluation.holdsSome(test, borrowed(text))
        case (.nodeDevice, HV_FILE_MKNOD): return isDeviceNode && evaluation.holds(test) { $0.device(UInt32(truncatingIfNeeded: value2)) }
        case (.newFlags, HV_FILE_SETFLAGS): return evaluation.any(test, value, hv_file_flag_name)
        case (.flagsBefore, HV_FILE_SETFLAGS): return evaluation.any(test, value2, hv_file_flag_name)
        case (.mountOperation, HV_FILE_MOUNT), (.mountOperation, HV_FILE_UMOUNT): return mountOperation.map { evaluation.holds(test, $0) } ?? false
        case (.mountSource, HV_FILE_MOUNT), (.mountSource, HV_FILE_UMOUNT): return evaluation.holdsSome(test, borrowed(text))
        case (.mountType, HV_FILE_MOUNT), (.mountType, HV_FILE_UMOUNT): return evaluation.holdsSome(test, borrowed(text2))
        case (.mountFlags, HV_FILE_MOUNT): return evaluation.any(test, mountFlags, hv_mount_flag_name)
        default: return false
        }
    }

    /// Whether events of the action have a `hypervigil.target`.
    private var hasTarget: Bool {
        action == HV_FILE_RENAME.rawValue || action == HV_FILE_LINK.rawValue || action == HV_FILE_SYMLINK.rawValue
    }

    /// After the act; nil for an action that is not known.
    private func object(_ resolution: borrowing Resolution) -> hv_object? {
        guard let action = Action(fileAction: action) else { return nil }
        return object(after: action, outcome(resolution), resolution)
    }

    @inline(never)
    func number(of field: Field, _ resolution: borrowing Resolution) -> UInt64? {
        switch field {
        case .object(.file, let field):
            guard let object = object(resolution) else { return nil }
            // By a name alone the length is known all the same.
            let succeeded = outcome(resolution) == .success
            let cut = field == .size && action == HV_FILE_TRUNCATE.rawValue && succeeded
            return object.inode != 0 || cut ? Evaluation.number(field, object) : nil
        case .object(.target, let field): return hasTarget && target.inode != 0 ? Evaluation.number(field, target) : nil
        case .file(let field): return number(field)
        default: return nil
        }
    }

    private func number(_ field: FileField) -> UInt64? {
        switch (field, hv_file_action(action)) {
        case (.operations, HV_FILE_WRITE): min(operations, UInt64(Int64.max))
        case (.bytes, HV_FILE_WRITE): header.has(HV_FILE_BYTES) ? long(value) : nil
        case (.bytes, HV_FILE_PARAMETER): long(value)
        case (.offset, HV_FILE_WRITE): header.has(HV_FILE_OFFSET) ? long(value2) : nil
        case (.sizeBefore, HV_FILE_WRITE): long(sizeBefore)
        case (.sizeBefore, HV_FILE_TRUNCATE): object.inode != 0 ? long(object.size) : nil
        case (.newUid, HV_FILE_CHOWN): identifier(value)
        case (.newGid, HV_FILE_CHOWN): identifier(value2)
        case (.uidBefore, HV_FILE_CHOWN): object.inode != 0 ? UInt64(object.uid) : nil
        case (.gidBefore, HV_FILE_CHOWN): object.inode != 0 ? UInt64(object.gid) : nil
        case (.xattrSize, HV_FILE_SETXATTR): long(value)
        default: nil
        }
    }

    func boolean(of field: Field) -> Bool? {
        guard case .file(let field) = field else { return nil }
        let writes = action == HV_FILE_WRITE.rawValue
        return switch field {
        case .exchange: hasTarget && header.has(HV_FILE_EXCHANGE) ? true : nil
        // These are true or absent.
        case .owner: header.has(HV_FILE_IO_URING) ? true : nil
        case .evicted: writes && header.has(HV_FILE_EVICTED) ? true : nil
        case .open: !writes ? nil : header.has(HV_FILE_OPEN) ? true : header.has(HV_FILE_CLOSED) ? false : nil
        default: nil
        }
    }
}

/// What of a path is a field of its own.
enum PathPart {
    case directory, name, fileExtension

    init?(_ field: Field) {
        switch field {
        case .file(.directory): self = .directory
        case .file(.name): self = .name
        case .file(.fileExtension): self = .fileExtension
        default: return nil
        }
    }
}

extension Evaluation {
    @inline(never)
    func holds(_ test: TextTest, _ part: PathPart, of path: Bytes) -> Bool {
        guard path.count > 0 else { return false }
        let slash = path.lastIndex(of: UInt8(ascii: "/"), from: 0)
        let nameStart = slash.map { $0 &+ 1 } ?? 0
        switch part {
        case .directory: return slash.map { holds(test, Bytes(rebasing: path[..<max($0, 1)])) } ?? false
        case .name: return holdsSome(test, Bytes(rebasing: path[nameStart...]))
        case .fileExtension:
            // The dot of a hidden file begins no extension.
            guard nameStart < path.count, let dot = path.lastIndex(of: UInt8(ascii: "."), from: nameStart &+ 1) else { return false }
            return holdsSome(test, Bytes(rebasing: path[(dot &+ 1)...]))
        }
    }

    /// Of a path that is told where it differs from another.
    func holds(_ test: TextTest, _ path: Bytes, butNot other: Bytes) -> Bool {
        path.count > 0 && !path.hasSameBytes(as: other) && holds(test, path)
    }

    /// Of the words of flags; all ones: not known.
    @inline(never)
    func any(_ test: TextTest, _ flags: UInt64, _ word: @convention(c) (UInt32) -> UnsafePointer<CChar>?) -> Bool {
        guard flags != .max else { return false }
        var found = false
        FlagWords.each(flags, word) { found = found || holds(test, $0) }
        return found
    }
}
