internal import Events
internal import FilterLanguage

/// What attribution knows of an actor. An empty text is one that is not known.
extension Evaluation {
    @inline(never)
    func fact(_ field: FactField, _ test: TextTest, _ facts: UnsafePointer<ActorFacts>) -> Bool {
        switch field {
        case .executable: holdsSome(test, facts.pointee.executable)
        case .args: anyArgument(test, facts.pointee.arguments)
        case .commandLine: line(test, facts.pointee.arguments)
        case .hash: hash(test, facts.pointee.hash)
        case .parentExecutable: holdsSome(test, facts.pointee.parentExecutable)
        case .parentCommandLine: line(test, facts.pointee.parentArguments)
        case .ancestorNames: ancestors(facts.pointee.ancestors) { holdsSome(test, $0.pointee.name) }
        case .ancestorExecutables: ancestors(facts.pointee.ancestors) { holdsSome(test, $0.pointee.executable) }
        case .userName: holdsSome(test, facts.pointee.userName)
        case .effectiveUserName: holdsSome(test, facts.pointee.effectiveUserName)
        case .effectiveGroupName: holdsSome(test, facts.pointee.effectiveGroupName)
        case .savedUserName: holdsSome(test, facts.pointee.savedUserName)
        case .loginUserName: holdsSome(test, facts.pointee.loginUserName)
        case .groupName: holdsSome(test, facts.pointee.groupName)
        case .sessionRemote: holdsSome(test, facts.pointee.sessionRemote)
        case .sessionTerminal: holdsSome(test, facts.pointee.sessionTerminal)
        case .hashFailure: holdsSome(test, facts.pointee.hashFailure)
        case .packageName: holdsSome(test, facts.pointee.packageName)
        case .packageVersion: holdsSome(test, facts.pointee.packageVersion)
        case .tenantKind, .tenantName, .tenantID, .tenantEngine, .tenantRole, .containerID, .containerName, .containerImage, .containerRuntime:
            tenant(field, test, facts)
        case .namesClaimed, .innerUser, .innerGroup, .unpackaged: false
        }
    }

    @inline(never)
    static func number(_ field: FactField, _ facts: UnsafePointer<ActorFacts>?) -> UInt64? {
        switch field {
        case .innerUser: facts?.pointee.innerUser.map { UInt64($0) }
        case .innerGroup: facts?.pointee.innerGroup.map { UInt64($0) }
        default: nil
        }
    }

    /// True or absent.
    @inline(never)
    static func boolean(_ field: FactField, _ facts: UnsafePointer<ActorFacts>?) -> Bool? {
        switch field {
        case .namesClaimed: facts?.pointee.namesAreClaimed == true ? true : nil
        case .unpackaged: facts?.pointee.unpackaged == true ? true : nil
        default: nil
        }
    }

    private func ancestors(
        _ ancestors: UnsafeBufferPointer<ActorFacts.Ancestor>, _ holds: (UnsafePointer<ActorFacts.Ancestor>) -> Bool
    ) -> Bool {
        guard let start = ancestors.baseAddress else { return false }
        for index in 0..<ancestors.count where holds(start + index) { return true }
        return false
    }

    private func hash(_ test: TextTest, _ bytes: Bytes) -> Bool {
        guard bytes.count == 32 else { return false }
        return holds(test) { cursor in
            for byte in bytes { cursor.hexadecimal(UInt64(byte), width: 2) }
        }
    }

    private func tenant(_ field: FactField, _ test: TextTest, _ facts: UnsafePointer<ActorFacts>) -> Bool {
        guard let reference = facts.pointee.tenant else {
            return field == .tenantKind && facts.pointee.isTenantKnown && holds(test, "host")
        }
        return reference._withUnsafeGuaranteedRef { tenant in
            let isContainer = tenant.kind == .container
            return switch field {
            case .tenantKind: holds(test, isContainer ? "container" : "vm")
            case .tenantRole: holds(test, tenant.role == .guest ? "guest" : "manager")
            case .tenantName: string(test, tenant.name)
            case .tenantID: string(test, tenant.id)
            case .tenantEngine: string(test, tenant.engine)
            case .containerID: isContainer && string(test, tenant.id)
            case .containerName: isContainer && string(test, tenant.name)
            case .containerImage: isContainer && string(test, tenant.image)
            case .containerRuntime: isContainer && string(test, tenant.runtime.isEmpty ? tenant.engine : tenant.runtime)
            default: false
            }
        }
    }

    private func string(_ test: TextTest, _ string: String) -> Bool {
        // Strings of Swift's own are contiguous, always.
        string.utf8.withContiguousStorageIfAvailable { holdsSome(test, Bytes($0)) } ?? false
    }
}
