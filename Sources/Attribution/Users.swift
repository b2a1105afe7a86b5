package import Events
package import Rings

/// Who an actor is: the names of its users and groups, its login user, its ids inside a user namespace, and where its login session comes from.
///
/// For one thread. A drain calls `collect` once and `fill` for its events; bytes that `fill` lends are valid until the next `collect`.
package struct Users: ~Copyable {
    private var host: UserNames
    private var containers: ContainerUsers
    private var sessions: LoginSessions

    /// - Parameters:
    ///   - wait: for how long the first events of an id may wait for its name, nanoseconds (`attribution.wait`).
    ///   - names: ids with a name of their own beside those in the host's files (`attribution.names`).
    package init(wait: UInt64, names: Int) {
        var timing = UserNames.Timing()
        timing.wait = wait
        var containerTiming = ContainerUsers.Timing()
        containerTiming.wait = wait
        var sessionTiming = LoginSessions.Timing()
        sessionTiming.wait = wait
        self.init(
            host: UserNames(capacity: names, timing: timing), containers: ContainerUsers(timing: containerTiming),
            sessions: LoginSessions(timing: sessionTiming))
    }

    package init(host: consuming UserNames, containers: consuming ContainerUsers, sessions: consuming LoginSessions) {
        self.host = host
        self.containers = containers
        self.sessions = sessions
    }

    /// Goes up whenever what `fill` tells of any actor may have become another.
    @inline(__always)
    package var generation: UInt64 { host.generation &+ containers.generation &+ sessions.generation }

    /// Of what was to be known the counts that made room for others, were turned away or were too large.
    package var counts: (evictions: UInt64, refused: UInt64, dropped: UInt64) {
        (
            host.evictions &+ containers.evictions &+ sessions.evictions, host.refused &+ containers.refused &+ sessions.refused,
            containers.dropped
        )
    }

    /// The host's namespaces, for `ActorFacts.foreignNamespaces`.
    package var identity: HostIdentity { containers.host }

    /// - Parameter now: CLOCK_BOOTTIME, ns.
    /// - Returns: whether something was taken in, and what was lent before is not valid any more.
    @discardableResult
    package mutating func collect(now: UInt64) -> Bool {
        let isHostNew = host.collect(now: now), isContainersNew = containers.collect(now: now), isSessionsNew = sessions.collect(now: now)
        return isHostNew || isContainersNew || isSessionsNew
    }

    /// Fills in the names, inner ids and session of an actor; what it does not know it leaves as it is.
    ///
    /// - Parameters:
    ///   - inTenant: the actor is in a container or virtual machine, or runs it.
    ///   - now: as for the last `collect`.
    /// - Returns: `pending` where it is worth to wait for something, and to call again; never for longer than `wait` behind an id's first event
    ///   or the start of another look at a container that is being put together.
    @inline(__always)
    package mutating func fill(_ facts: inout ActorFacts, of actor: borrowing ActorView, inTenant: Bool, now: UInt64) -> NameState {
        let (owner, known) = containers.fill(&facts, of: actor, inTenant: inTenant, now: now)
        var state = known
        if owner == .host {
            let user = host.user(actor.uid, now: now)
            state = max(state, user.state)
            facts.userName = user.bytes
            facts.effectiveUserName = actor.effectiveUid == actor.uid ? user.bytes : other(host.user(actor.effectiveUid, now: now), &state)
            facts.savedUserName = actor.savedUid == actor.uid ? user.bytes : other(host.user(actor.savedUid, now: now), &state)
            let group = host.group(actor.gid, now: now)
            state = max(state, group.state)
            facts.groupName = group.bytes
            facts.effectiveGroupName = actor.effectiveGid == actor.gid ? group.bytes : other(host.group(actor.effectiveGid, now: now), &state)
        }
        // The kernel keeps the login user in the initial user namespace: it is the host's wherever the actor is.
        if actor.loginUid != .max { facts.loginUserName = other(host.user(actor.loginUid, now: now), &state) }
        if actor.session != .max {
            let terminal = owner == .host ? actor.terminal : 0
            state = max(state, sessions.fill(&facts, session: actor.session, terminal: terminal, user: facts.loginUserName, now: now))
        }
        return state
    }

    @inline(__always)
    private func other(_ name: Name, _ state: inout NameState) -> UnsafeRawBufferPointer {
        state = max(state, name.state)
        return name.bytes
    }
}
