CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.event_ids (
    run integer NOT NULL,
    hash bigint NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE public.events (
    seq bigint NOT NULL,
    id text NOT NULL,
    digest bytea NOT NULL,
    type smallint NOT NULL,
    kind_no smallint,
    user_no integer,
    item_no integer,
    "time" bigint,
    "position" bigint,
    value double precision,
    request_id text,
    fields text
);
CREATE TABLE public.fields (
    entity character varying(16) NOT NULL,
    name text NOT NULL,
    type character varying(16) NOT NULL
);
CREATE TABLE public.head (
    one smallint NOT NULL,
    seq bigint NOT NULL,
    items integer NOT NULL,
    users integer NOT NULL,
    kinds integer NOT NULL,
    fields integer NOT NULL,
    erasures integer NOT NULL,
    CONSTRAINT head_is_one_row CHECK ((one = 1))
);
CREATE TABLE public.impressions (
    request_id text NOT NULL,
    "time" bigint NOT NULL,
    user_no integer,
    route text NOT NULL,
    bundle text NOT NULL,
    version bigint NOT NULL,
    payload text NOT NULL
);
CREATE TABLE public.items (
    number integer NOT NULL,
    id text NOT NULL,
    hash bigint NOT NULL
);
CREATE TABLE public.kinds (
    number smallint NOT NULL,
    name text NOT NULL
);
CREATE TABLE public.users (
    number integer NOT NULL,
    id text NOT NULL,
    hash bigint NOT NULL,
    erased smallint DEFAULT '0'::smallint NOT NULL
);
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.event_ids VALUES (0, -1723077891436786031, 3);
INSERT INTO public.event_ids VALUES (0, 1971835917959106308, 1);
INSERT INTO public.event_ids VALUES (0, 5531477141196234052, 4);
INSERT INTO public.event_ids VALUES (0, 7017083878988790411, 6);
INSERT INTO public.event_ids VALUES (0, 1606383628240665728, 7);
INSERT INTO public.events VALUES (1, 'e1', '\xaab023e92cc10b5ae559e9d6af05f3b4', 0, 0, 0, 0, 1700000000000000, NULL, NULL, NULL, NULL);
INSERT INTO public.events VALUES (3, 'p1', '\x0569754f19aed894e5384d4badf59a25', 1, 2, NULL, 0, 1700000000000000, NULL, NULL, NULL, '{"price":3.5,"title":"Red cup"}');
INSERT INTO public.events VALUES (4, 'p2', '\x8d90ba95e65881db2ebc48904ad7585d', 1, 3, NULL, 1, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.events VALUES (6, 'f1', '\x14d3dab1575932bb6f6aa50abe586441', 3, 4, NULL, NULL, NULL, NULL, NULL, NULL, '{"head":"cup","tail":"acme"}');
INSERT INTO public.events VALUES (7, 'erased-1f01011bb608287972867a05', '\x6fc3', 4, NULL, 1, NULL, 1795331955890663, NULL, NULL, NULL, NULL);
INSERT INTO public.events VALUES (2, '49fa', '\x1f3db1adff9befd80cf5810a4c42729c', 5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.events VALUES (5, '7f7f', '\x2c1b08a564b661e0c689e2967c3bb6e9', 5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.fields VALUES ('item', 'price', 'number');
INSERT INTO public.fields VALUES ('item', 'title', 'text');
INSERT INTO public.head VALUES (1, 7, 2, 2, 5, 1, 1);
INSERT INTO public.impressions VALUES ('r1', 1700000000000000, 0, 'recommend', 'b1', 4, '{"items":[0]}');
INSERT INTO public.items VALUES (0, 'cup', -6027944942811850071);
INSERT INTO public.items VALUES (1, 'pot', 5321322346391595789);
INSERT INTO public.kinds VALUES (0, 'view');
INSERT INTO public.kinds VALUES (1, 'purchase');
INSERT INTO public.kinds VALUES (2, 'put');
INSERT INTO public.kinds VALUES (3, 'delete');
INSERT INTO public.kinds VALUES (4, 'brand');
INSERT INTO public.users VALUES (0, 'ann', -8270052116146162779, 0);
INSERT INTO public.users VALUES (1, '7a2', -2071078898170732017, 1);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.event_ids
    ADD CONSTRAINT event_ids_pkey PRIMARY KEY (run, hash, seq);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.fields
    ADD CONSTRAINT fields_pkey PRIMARY KEY (entity, name);
ALTER TABLE ONLY public.head
    ADD CONSTRAINT head_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.impressions
    ADD CONSTRAINT impressions_pkey PRIMARY KEY (request_id);
ALTER TABLE ONLY public.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.kinds
    ADD CONSTRAINT kinds_name_key UNIQUE (name);
ALTER TABLE ONLY public.kinds
    ADD CONSTRAINT kinds_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (number);
CREATE INDEX impressions_time ON public.impressions USING btree ("time");
CREATE INDEX items_hash ON public.items USING btree (hash);
CREATE INDEX users_hash ON public.users USING btree (hash);
