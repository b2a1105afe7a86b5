internal import Events
internal import FilterLanguage
internal import KernelABI
internal import Rings

extension ExecView: FilteredRecord {
    var actionSet: ActionSet { .exec }

    func outcome(_ resolution: borrowing Resolution) -> Outcome { resolution.outcome ?? Outcome(error: error) }

    func holds(_ test: TextTest, ofImage field: FactField, _ evaluation: borrowing Evaluation) -> Bool? {
        switch field {
        case .executable:
            let path = borrowed(executable)
            return path.count > 0 ? evaluation.holds(test, path) : nil
        // Those of a failed exec are what it asked for.
        case .args: return evaluation.anyArgument(test, borrowed(arguments))
        case .commandLine: return evaluation.line(test, borrowed(arguments))
        default: return nil
        }
    }

    func holds(_ test: TextTest, of field: Field, _ resolution: borrowing Resolution, _ evaluation: borrowing Evaluation) -> Bool {
        switch field {
        case .exec(.directory): return evaluation.holdsSome(test, borrowed(directory))
        case .exec(.filename): return evaluation.holdsSome(test, borrowed(filename))
        case .exec(.interpreter): return evaluation.holdsSome(test, borrowed(interpreter))
        case .exec(.cgroupPath): return evaluation.holdsSome(test, borrowed(cgroupPath))
        case .exec(.capabilitiesBefore): return header.has(HV_EXEC_BEFORE) && evaluation.capabilities(test, before.capabilities)
        case .exec(.truncated): return incomplete(.truncated, test, evaluation)
        case .exec(.unreadable): return incomplete(.fault, test, evaluation)
        // Of the path alone.
        case .file(.pathFlags): return executable.byteCount > 0 && evaluation.any(test, flags(of: HV_EXEC_EXECUTABLE))
        case .object(let place, let field):
            guard let object = object(place) else { return false }
            return evaluation.object(field, test, object)
        default: return false
        }
    }

    private func incomplete(_ flag: StringFlags, _ test: TextTest, _ evaluation: borrowing Evaluation) -> Bool {
        flags(of: HV_EXEC_FILENAME).contains(flag) && evaluation.holds(test, "filename")
            || flags(of: HV_EXEC_INTERPRETER).contains(flag) && evaluation.holds(test, "interpreter")
            || flags(of: HV_EXEC_DIRECTORY).contains(flag) && evaluation.holds(test, "working_directory")
            || flags(of: HV_EXEC_CGROUP).contains(flag) && evaluation.holds(test, "cgroup")
            || flags(of: HV_EXEC_ARGS).contains(flag) && evaluation.holds(test, "args")
    }

    private func object(_ place: ObjectPlace) -> hv_object? {
        let object: hv_object
        switch place {
        case .executable: object = executableObject
        case .script: object = scriptObject
        default: return nil
        }
        return object.inode != 0 ? object : nil
    }

    func number(of field: Field, _ resolution: borrowing Resolution) -> UInt64? {
        switch field {
        case .exec(.argsCount): return arguments.byteCount > 0 || error == 0 || argumentCount > 0 ? UInt64(argumentCount) : nil
        case .exec(.argsSize): return header.has(HV_EXEC_ARGS_TRUNCATED) ? UInt64(argumentSize) : nil
        case .exec(.callingThread): return callingThread != actor.tid ? UInt64(callingThread) : nil
        case .exec(let field):
            guard header.has(HV_EXEC_BEFORE) else { return nil }
            return switch field {
            case .uidBefore: UInt64(before.uid)
            case .effectiveUidBefore: UInt64(before.euid)
            case .savedUidBefore: UInt64(before.suid)
            case .gidBefore: UInt64(before.gid)
            case .effectiveGidBefore: UInt64(before.egid)
            case .savedGidBefore: UInt64(before.sgid)
            default: nil
            }
        case .object(let place, let field): return object(place).flatMap { Evaluation.number(field, $0) }
        default: return nil
        }
    }

    func boolean(of field: Field) -> Bool? {
        let flag: Int32
        switch field {
        case .exec(.fileless): flag = HV_EXEC_FILELESS
        case .exec(.memfd): flag = HV_EXEC_MEMFD
        case .exec(.argsTruncated): flag = HV_EXEC_ARGS_TRUNCATED
        case .exec(.scriptFileless): flag = HV_EXEC_SCRIPT_FILELESS
        default: return nil
        }
        // True or absent.
        return header.has(flag) ? true : nil
    }
}

extension ForkView: FilteredRecord {
    var actionSet: ActionSet { .fork }
    func outcome(_ resolution: borrowing Resolution) -> Outcome { .success }
    func severity(_ outcome: Outcome) -> UInt32 { Action.fork.severity }
    func holds(_ test: TextTest, of field: Field, _ resolution: borrowing Resolution, _ evaluation: borrowing Evaluation) -> Bool { false }
    func boolean(of field: Field) -> Bool? { nil }

    func number(of field: Field, _ resolution: borrowing Resolution) -> UInt64? {
        guard case .forker = field, forkerPid != actor.parentPid || forkerStart != actor.parentStart else { return nil }
        return UInt64(forkerPid)
    }
}

extension ExitView: FilteredRecord {
    var actionSet: ActionSet { .exit }
    func outcome(_ resolution: borrowing Resolution) -> Outcome { .success }
    func severity(_ outcome: Outcome) -> UInt32 { Action.exit.severity }
    func holds(_ test: TextTest, of field: Field, _ resolution: borrowing Resolution, _ evaluation: borrowing Evaluation) -> Bool { false }

    func number(of field: Field, _ resolution: borrowing Resolution) -> UInt64? {
        switch field {
        case .exit(.code): signal == 0 ? UInt64(code) : nil
        case .exit(.signal): signal != 0 ? UInt64(signal) : nil
        default: nil
        }
    }

    func boolean(of field: Field) -> Bool? {
        if case .exit(.coreDumped) = field, signal != 0 { dumpedCore } else { nil }
    }
}

extension NamespaceView: FilteredRecord {
    var actionSet: ActionSet { .namespaceChange }
    func outcome(_ resolution: borrowing Resolution) -> Outcome { Outcome(error: error) }
    func severity(_ outcome: Outcome) -> UInt32 { Action.namespaceChange.severity }
    func holds(_ test: TextTest, of field: Field, _ resolution: borrowing Resolution, _ evaluation: borrowing Evaluation) -> Bool { false }
    func number(of field: Field, _ resolution: borrowing Resolution) -> UInt64? { nil }
    func boolean(of field: Field) -> Bool? { nil }
}
