BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE assets (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	workspace INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	version TEXT NOT NULL, 
	number BIGINT, 
	digest TEXT, 
	anonymous BOOLEAN NOT NULL, 
	archived BOOLEAN NOT NULL, 
	body BLOB, 
	created_at BIGINT NOT NULL, 
	created_by TEXT NOT NULL, 
	modified_at BIGINT NOT NULL, 
	CONSTRAINT fk_assets_workspace FOREIGN KEY(workspace) REFERENCES workspaces (id) ON DELETE CASCADE, 
	CONSTRAINT uq_assets_workspace_kind_name_version UNIQUE (workspace, kind, name, version)
);
INSERT INTO "assets" VALUES(1,1,'codes','thing','1',1,NULL,0,1,NULL,1772368215123457,'ann',1772368215123457);
INSERT INTO "assets" VALUES(2,1,'codes','thing','2',2,'d',0,0,X'7B2262223A5B315D7D',1772368215123457,'ann',1772368215123457);
INSERT INTO "assets" VALUES(3,1,'data','thing','1',1,NULL,0,1,NULL,1772368215123457,'ann',1772368215123457);
INSERT INTO "assets" VALUES(4,1,'data','thing','2',2,'d',0,0,X'7B2262223A5B315D7D',1772368215123457,'ann',1772368215123457);
INSERT INTO "assets" VALUES(5,1,'environments','thing','1',1,NULL,0,1,NULL,1772368215123457,'ann',1772368215123457);
INSERT INTO "assets" VALUES(6,1,'environments','thing','2',2,'d',0,0,X'7B2262223A5B315D7D',1772368215123457,'ann',1772368215123457);
INSERT INTO "assets" VALUES(7,1,'components','thing','1',1,NULL,0,1,NULL,1772368215123457,'ann',1772368215123457);
INSERT INTO "assets" VALUES(8,1,'components','thing','2',2,'d',0,0,X'7B2262223A5B315D7D',1772368215123457,'ann',1772368215123457);
INSERT INTO "assets" VALUES(9,1,'models','thing','1',1,NULL,0,1,NULL,1772368215123457,'ann',1772368215123457);
INSERT INTO "assets" VALUES(10,1,'models','thing','2',2,'d',0,0,X'7B2262223A5B315D7D',1772368215123457,'ann',1772368215123457);
CREATE TABLE computes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	workspace INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	location TEXT NOT NULL, 
	body BLOB, 
	tags BLOB, 
	slots INTEGER, 
	stopped BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	created_by TEXT NOT NULL, 
	modified_at BIGINT NOT NULL, 
	CONSTRAINT fk_computes_workspace FOREIGN KEY(workspace) REFERENCES workspaces (id) ON DELETE CASCADE, 
	CONSTRAINT uq_computes_workspace_key UNIQUE (workspace, "key")
);
INSERT INTO "computes" VALUES(1,1,'cpu','Cpu','AmlCompute','local',NULL,X'7B2274223A2231227D',2,0,1772368215123457,'ann',1772368215123457);
CREATE TABLE datastore_secrets (
	datastore INTEGER NOT NULL, 
	secrets BLOB NOT NULL, 
	CONSTRAINT pk_datastore_secrets PRIMARY KEY (datastore), 
	CONSTRAINT fk_datastore_secrets_datastore FOREIGN KEY(datastore) REFERENCES datastores (id) ON DELETE CASCADE
);
INSERT INTO "datastore_secrets" VALUES(1,X'7B226B6579223A2276616C7565227D');
CREATE TABLE datastores (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	workspace INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	body BLOB, 
	created_at BIGINT NOT NULL, 
	created_by TEXT NOT NULL, 
	modified_at BIGINT NOT NULL, 
	CONSTRAINT fk_datastores_workspace FOREIGN KEY(workspace) REFERENCES workspaces (id) ON DELETE CASCADE, 
	CONSTRAINT uq_datastores_workspace_key UNIQUE (workspace, "key")
);
INSERT INTO "datastores" VALUES(1,1,'blob','Blob','AzureBlob',X'7B226E223A317D',1772368215123457,'ann',1772368215123457);
CREATE TABLE engines (
	token TEXT NOT NULL, 
	host TEXT NOT NULL, 
	until BIGINT NOT NULL, 
	CONSTRAINT pk_engines PRIMARY KEY (token)
);
INSERT INTO "engines" VALUES('engine','host',1772368275123457);
CREATE TABLE experiments (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	workspace INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	CONSTRAINT fk_experiments_workspace FOREIGN KEY(workspace) REFERENCES workspaces (id) ON DELETE CASCADE, 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
INSERT INTO "experiments" VALUES(1,1,'Default');
CREATE TABLE job_documents (
	job INTEGER NOT NULL, 
	body BLOB, 
	definition BLOB, 
	CONSTRAINT pk_job_documents PRIMARY KEY (job), 
	CONSTRAINT fk_job_documents_job FOREIGN KEY(job) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "job_documents" VALUES(1,X'7B226A6F6254797065223A22506970656C696E65227D',X'7B226E6F646573223A7B7D7D');
INSERT INTO "job_documents" VALUES(2,NULL,NULL);
INSERT INTO "job_documents" VALUES(3,NULL,X'7B7D');
INSERT INTO "job_documents" VALUES(4,NULL,X'7B7D');
INSERT INTO "job_documents" VALUES(5,NULL,X'7B7D');
CREATE TABLE jobs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	workspace INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	experiment INTEGER NOT NULL, 
	display_name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	status TEXT NOT NULL, 
	tags BLOB, 
	properties BLOB, 
	compute TEXT, 
	parent INTEGER, 
	root INTEGER, 
	node TEXT, 
	component TEXT, 
	inputs BLOB, 
	outputs BLOB, 
	fingerprint TEXT, 
	reused_from TEXT, 
	attempt INTEGER NOT NULL, 
	exit_code INTEGER, 
	error BLOB, 
	waits_for TEXT, 
	archived BOOLEAN NOT NULL, 
	cancel_requested BOOLEAN NOT NULL, 
	created BIGINT NOT NULL, 
	preparing BIGINT, 
	queued BIGINT, 
	starting BIGINT, 
	running BIGINT, 
	finalizing BIGINT, 
	ended BIGINT, 
	created_by TEXT NOT NULL, 
	environment_key TEXT, 
	modified_at BIGINT NOT NULL, 
	lease_token TEXT, 
	CONSTRAINT ck_jobs_final_holds_no_lease CHECK (lease_token IS NULL OR status NOT IN ('Completed', 'Failed', 'Canceled')), 
	CONSTRAINT fk_jobs_experiment FOREIGN KEY(experiment) REFERENCES experiments (id) ON DELETE CASCADE, 
	CONSTRAINT fk_jobs_parent FOREIGN KEY(parent) REFERENCES jobs (id) ON DELETE CASCADE, 
	CONSTRAINT fk_jobs_workspace FOREIGN KEY(workspace) REFERENCES workspaces (id) ON DELETE CASCADE, 
	CONSTRAINT uq_jobs_parent_node UNIQUE (parent, node), 
	CONSTRAINT uq_jobs_workspace_name UNIQUE (workspace, name)
);
INSERT INTO "jobs" VALUES(1,1,'root','Pipeline',1,'root','','NotStarted',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,0,0,1772368215123457,NULL,NULL,NULL,NULL,NULL,NULL,'ann',NULL,1772368215123457,'engine');
INSERT INTO "jobs" VALUES(2,1,'run','Run',1,'run','','Running',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,0,0,1772368215123457,NULL,NULL,NULL,NULL,NULL,NULL,'ann',NULL,1772368215123457,NULL);
INSERT INTO "jobs" VALUES(3,1,'root-a','Command',1,'root-a','','Completed',NULL,NULL,NULL,1,1,'a',NULL,NULL,X'7B226F223A7B2274797065223A227572695F666F6C646572222C22757269223A22617A7572656D6C3A2F2F6461746173746F7265732F426C6F622F70617468732F6F227D7D','f',NULL,0,NULL,NULL,NULL,0,0,1772368215123457,NULL,NULL,NULL,NULL,NULL,1772368245123457,'ann',NULL,1772368215123457,NULL);
INSERT INTO "jobs" VALUES(4,1,'root-b','Command',1,'root-b','','Failed',NULL,NULL,NULL,1,1,'b',NULL,NULL,NULL,NULL,NULL,0,NULL,X'7B22636F6465223A22557365724572726F72222C226D657373616765223A226974206661696C6564227D',NULL,0,0,1772368215123457,NULL,NULL,NULL,NULL,NULL,NULL,'ann',NULL,1772368215123457,NULL);
INSERT INTO "jobs" VALUES(5,1,'root-c','Command',1,'root-c','','NotStarted',NULL,NULL,NULL,1,1,'c',NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,0,0,1772368215123457,NULL,NULL,NULL,NULL,NULL,NULL,'ann',NULL,1772368215123457,'engine');
CREATE TABLE workspaces (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	"key" TEXT NOT NULL, 
	subscription TEXT NOT NULL, 
	resource_group TEXT NOT NULL, 
	name TEXT NOT NULL, 
	location TEXT NOT NULL, 
	display_name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	default_datastore TEXT NOT NULL, 
	tags BLOB, 
	body BLOB, 
	created_at BIGINT NOT NULL, 
	created_by TEXT NOT NULL, 
	modified_at BIGINT NOT NULL, 
	CONSTRAINT uq_workspaces_key UNIQUE ("key")
);
INSERT INTO "workspaces" VALUES(1,'0000-sub/team/main','0000-sub','Team','Main','local','Main','','workspaceblobstore',X'7B2261223A22C3B6227D',X'7B2278223A317D',1772368215123457,'ann',1772368215123457);
CREATE INDEX ix_assets_digest ON assets (workspace, kind, digest) WHERE digest IS NOT NULL;
CREATE INDEX ix_assets_newest ON assets (workspace, kind, name, id);
CREATE INDEX ix_jobs_component ON jobs (component, workspace, id) WHERE fingerprint IS NOT NULL AND reused_from IS NULL;
CREATE INDEX ix_jobs_experiment ON jobs (experiment, id);
CREATE INDEX ix_jobs_fingerprint ON jobs (fingerprint, workspace) WHERE fingerprint IS NOT NULL AND reused_from IS NULL;
CREATE INDEX ix_jobs_lease ON jobs (lease_token) WHERE lease_token IS NOT NULL;
CREATE INDEX ix_jobs_node ON jobs (node, workspace, id) WHERE fingerprint IS NOT NULL AND reused_from IS NULL;
CREATE INDEX ix_jobs_roots ON jobs (workspace, id) WHERE parent IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('workspaces',1);
INSERT INTO "sqlite_sequence" VALUES('computes',1);
INSERT INTO "sqlite_sequence" VALUES('datastores',1);
INSERT INTO "sqlite_sequence" VALUES('assets',10);
INSERT INTO "sqlite_sequence" VALUES('experiments',1);
INSERT INTO "sqlite_sequence" VALUES('jobs',5);
COMMIT;
