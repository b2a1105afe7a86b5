internal import Events
internal import FilterLanguage
internal import KernelABI
internal import Rings

extension ModuleView: FilteredRecord {
    var actionSet: ActionSet { .module(action) }

    func outcome(_ resolution: borrowing Resolution) -> Outcome { resolution.outcome ?? recordedOutcome }

    func severity(_ outcome: Outcome) -> UInt32 { Action(moduleAction: action)?.severity ?? 0 }

    private var isFromFile: Bool { source == HV_MODULE_SOURCE_FILE.rawValue }
    private var isLoad: Bool { action == HV_MODULE_LOAD.rawValue }

    func holds(_ test: TextTest, of field: Field, _ resolution: borrowing Resolution, _ evaluation: borrowing Evaluation) -> Bool {
        switch field {
        case .module(let field): return holds(test, of: field, evaluation)
        case .object(let place, let field):
            guard let object = object(place) else { return false }
            return evaluation.object(field, test, object)
        case .file(let file):
            guard isFromFile else { return false }
            let path = evaluation.paths.path(self, resolution)
            if let part = PathPart(field) { return evaluation.holds(test, part, of: path.bytes) }
            return switch file {
            case .path: evaluation.holdsSome(test, path.bytes)
            case .pathFlags: evaluation.any(test, path.flags)
            case .actorPath: evaluation.holds(test, borrowed(filePath), butNot: path.bytes)
            case .innerPath: evaluation.holds(test, borrowed(fileInner), butNot: path.bytes)
            default: false
            }
        default: return false
        }
    }

    private func holds(_ test: TextTest, of field: ModuleField, _ evaluation: borrowing Evaluation) -> Bool {
        switch field {
        case .name: return evaluation.holdsSome(test, borrowed(name))
        case .args: return isLoad && evaluation.holds(test, borrowed(arguments))
        case .source:
            guard isLoad else { return false }
            return isFromFile
                ? evaluation.holds(test, "file") : source == HV_MODULE_SOURCE_MEMORY.rawValue && evaluation.holds(test, "memory")
        case .taints: return isLoad && header.has(HV_MODULE_LOADED) && evaluation.any(test, taints, Taints.names)
        case .hint: return isLoad && evaluation.holdsSome(test, borrowed(hint))
        case .argsTruncated, .argsUnreadable, .signed, .inTree, .waits: return false
        }
    }

    private func object(_ place: ObjectPlace) -> hv_object? {
        let object = file
        guard object.inode != 0 else { return nil }
        return switch place {
        case .file where isFromFile: object
        case .moduleHint where isLoad && !isFromFile && hint.byteCount > 0: object
        default: nil
        }
    }

    func number(of field: Field, _ resolution: borrowing Resolution) -> UInt64? {
        guard case .object(let place, let field) = field else { return nil }
        return object(place).flatMap { Evaluation.number(field, $0) }
    }

    func boolean(of field: Field) -> Bool? {
        guard case .module(let field) = field else { return nil }
        let flags = flags(of: HV_MODULE_ARGS)
        return switch field {
        // These two are true or absent.
        case .argsTruncated: isLoad && (Int(argumentSize) > arguments.byteCount || flags.contains(.truncated)) ? true : nil
        case .argsUnreadable: isLoad && flags.contains(.fault) ? true : nil
        case .signed: isLoad && header.has(HV_MODULE_SIGNED_KNOWN) ? header.has(HV_MODULE_SIGNED) : nil
        case .inTree: isLoad && header.has(HV_MODULE_LOADED) ? taints & Taints.outOfTree == 0 : nil
        case .waits: action == HV_MODULE_REQUEST.rawValue ? waits : nil
        case .name, .args, .source, .taints, .hint: nil
        }
    }
}
