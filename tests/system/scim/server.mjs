// A SCIM 2.0 service for tests: scimmy speaks the protocol, this keeps accounts, groups and
// sessions in memory, and lets people log in. What is odd of it is scimmy's own; more can be
// switched on, see ODD. Arguments: PORT KEY CERTIFICATE TOKEN, the last three being files.
//
//	POST /login {userName, password}	-> {session}, 401 wrong, 403 not active
//	GET  /me (Bearer SESSION)		-> the account, 401 when the session is over
//	POST /odd {NAME: VALUE...}		-> from now on; what is not named is as it was
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import https from "node:https";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const ODD = {
	express5: false,	// req.query is made anew at each look, as Express 5 does: paging is ignored
	unfiltered: false,	// answers all, whatever the filter
	unfilterable: false,	// refuses filters over members
	opens: false,		// makes accounts active, whatever was asked
	fail: [],		// statuses of the next requests, which do nothing
	mute: false,		// changes happen and are not answered
	repeat: 0,		// the account of this number stands on every page
};

const [port, key, certificate, tokenFile] = process.argv.slice(2);
const token = readFileSync(tokenFile, "utf8").trim();
const users = new Map(), groups = new Map(), sessions = new Map();

const absent = (id) => new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
const stamp = (old) => ({
	created: old?.meta.created ?? new Date().toISOString(), lastModified: new Date().toISOString(),
});

function sessionsEnd(id) {
	for (const [session, user] of sessions)
		if (user === id)
			sessions.delete(session);
}

function shown({ password, ...user }) {
	return user;
}

function userWrite(resource, data) {
	const rest = JSON.parse(JSON.stringify(data)), password = data.password;	// which is not shown
	const id = resource.id ?? randomUUID(), old = users.get(id);

	if (resource.id && !old)
		throw absent(id);
	for (const other of users.values())
		if (other.id !== id && other.userName.toLowerCase() === rest.userName.toLowerCase())
			throw new SCIMMY.Types.Error(409, "uniqueness", `${rest.userName} is taken`);
	const user = { ...rest, id, meta: stamp(old), password: password ?? old?.password };
	if (!old && ODD.opens)
		user.active = true;
	users.set(id, user);
	if (!user.active || user.password !== old?.password)
		sessionsEnd(id);
	return shown(user);
}

function read(store, resource, show = (x) => x) {
	if (resource.id) {
		if (!store.has(resource.id))
			throw absent(resource.id);
		return show(store.get(resource.id));
	}
	const all = [...store.values()].map(show);
	if (ODD.repeat && store === users)
		for (let i = 0; i < all.length; i += 20)
			all[i] = all[ODD.repeat - 1];
	return resource.filter && !ODD.unfiltered ? resource.filter.match(all) : all;
}

SCIMMY.Resources.declare(SCIMMY.Resources.User)
	.ingress((resource, data) => userWrite(resource, data))
	.egress((resource) => read(users, resource, shown))
	.degress((resource) => {
		if (!users.delete(resource.id))
			throw absent(resource.id);
		sessionsEnd(resource.id);
	});
SCIMMY.Resources.declare(SCIMMY.Resources.Group)
	.ingress((resource, data) => {
		const id = resource.id ?? randomUUID(), old = groups.get(id);

		if (resource.id && !old)
			throw absent(id);
		groups.set(id, { ...JSON.parse(JSON.stringify(data)), id, meta: stamp(old) });
		return groups.get(id);
	})
	.egress((resource) => read(groups, resource))
	.degress((resource) => {
		if (!groups.delete(resource.id))
			throw absent(resource.id);
	});

const bearer = (req) => req.header("authorization")?.match(/^Bearer (.+)$/)?.[1];
const app = express();

app.post("/login", express.json(), (req, res) => {
	const user = [...users.values()].find((u) => u.userName.toLowerCase() === req.body.userName);
	const session = randomUUID();

	if (!user?.password || user.password !== req.body.password)
		return res.sendStatus(401);
	if (!user.active)
		return res.sendStatus(403);
	sessions.set(session, user.id);
	res.send({ session });
});
app.get("/me", (req, res) => {
	const user = users.get(sessions.get(bearer(req)));

	return user ? res.send(shown(user)) : res.sendStatus(401);
});
app.use((req, res, next) => bearer(req) === token ? next() : res.status(401)
	.type("application/scim+json").send(new SCIMMY.Messages.Error({ status: 401, message: "who?" })));
app.post("/odd", express.json(), (req, res) => res.send(Object.assign(ODD, req.body)));
app.use((req, res, next) => {
	const query = { ...req.query };

	if (ODD.fail.length > 0)
		return res.sendStatus(ODD.fail.shift());
	if (ODD.unfilterable && query.filter?.includes("members"))
		return res.status(400).send(new SCIMMY.Messages.Error(
			new SCIMMY.Types.Error(400, "invalidFilter", "not over members")));
	if (ODD.express5)
		Object.defineProperty(req, "query", { get: () => ({ ...query }) });
	if (ODD.mute && req.method !== "GET")
		res.send = () => req.socket.destroy();
	next();
});
app.use("/scim/v2", new SCIMMYRouters({ type: "bearer", handler: () => "muster" }));
https.createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, app)
	.listen(Number(port), "127.0.0.1");
