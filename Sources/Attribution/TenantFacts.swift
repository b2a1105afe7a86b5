internal import Events

/// What became known of a tenant beside the path of its group. Empty: nothing.
package struct TenantFacts: Equatable, Sendable {
    /// In place of the path's, without an owner: a virtual machine's uuid.
    package var id = ""
    package var name = ""
    package var image = ""
    package var runtime = ""
    /// In place of the path's: Incus is a user of LXC's.
    package var engine = ""
    /// It comes from files of its owner's, who may write there what he likes.
    package var isClaimed = false

    package init(id: String = "", name: String = "", image: String = "", runtime: String = "", engine: String = "", isClaimed: Bool = false) {
        self.id = id
        self.name = name
        self.image = image
        self.runtime = runtime
        self.engine = engine
        self.isClaimed = isClaimed
    }

    /// What is here goes before.
    func completed(by other: TenantFacts) -> TenantFacts {
        func first(_ one: String, _ other: String) -> String { one.isEmpty ? other : one }
        return TenantFacts(
            id: first(id, other.id), name: first(name, other.name), image: first(image, other.image), runtime: first(runtime, other.runtime),
            engine: first(engine, other.engine), isClaimed: isClaimed || other.isClaimed)
    }

    func tenant(_ claim: CgroupTenant) -> Tenant {
        Tenant(
            kind: claim.kind, engine: engine.isEmpty ? claim.engine : engine, role: claim.role,
            id: claim.owner.prefix + (id.isEmpty ? claim.local : id), name: !name.isEmpty ? name : claim.isNamed ? claim.local : "", image: image,
            runtime: claim.kind == .container ? (runtime.isEmpty ? claim.runtime : runtime) : "", isClaimed: isClaimed || claim.owner != .host)
    }
}

/// What only the disk knows.
package enum TenantQuestion: Hashable, Sendable {
    /// Name, image and so on of a tenant.
    case facts(CgroupTenant)
    /// Whether one of these groups is a container's.
    case proof(CgroupCandidate)
}

package struct TenantAnswer: Sendable {
    package var question: TenantQuestion
    /// Nil: nothing was found.
    package var facts: TenantFacts?
    /// Which of the candidate's scopes is a container's own group, and whose.
    package var proof: (scope: Int, claim: CgroupTenant)?

    package init(_ question: TenantQuestion, facts: TenantFacts? = nil, proof: (scope: Int, claim: CgroupTenant)? = nil) {
        self.question = question
        self.facts = facts
        self.proof = proof
    }
}
