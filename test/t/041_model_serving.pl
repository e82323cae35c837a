# A model from the registry to the manifests that serve it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DockerRegistry;
use ImageLibrary;

my $registry = DockerRegistry->new(mode => 'open');
my $pushed = $registry->push_samples('--only', 'nim/*', '--only', 'models/*');
my $host = $registry->host;
my $node = ImageLibrary::node('main', 'image_library.enabled = off');
my $nim = "$host/nim/meta/llama-3.1-8b-instruct:1.3.3";
my $big = "$host/nim/nvidia/llama-3.3-nemotron-super-49b-v1:1.8.5";
my $pack = "$host/models/qwen2.5-7b-instruct:1.0.0";

# The model engineer reads; others approve.
sub read_value { return $node->value("SET ROLE engineer; $_[0]") }
sub read_error { return $node->error("SET ROLE engineer;\n$_[0]") }
sub manifest { return decode_json(read_value("SELECT image_library.$_[0]")) }

$node->value(sprintf(q{
	CREATE ROLE engineer LOGIN IN ROLE image_library_reader;
	SELECT image_library.add_registry('local', '%s', allow_private => true);
	SELECT image_library.add_rule('local', '**');
	CALL image_library.sync('local')}, $registry->url));

# --- before approval there is nothing to serve
is(read_value(q{SELECT count(*) FROM image_library.model_library}), '0', 'no model is offered before approval');
like(read_error("SELECT image_library.kserve_serving_runtime('$nim')"), qr/ERROR: .*pending.*HINT: /s,
	'no manifest of a pending model, and what would do');
is( read_value(q{SELECT kind, publisher FROM image_library.search_images('nemotron')}),
	'model|nvidia', 'yet it is found');

$node->value(qq{SELECT image_library.approve('$nim', 'evaluated'); SELECT image_library.approve('$big');
	SELECT image_library.approve('$pack')});
is( read_value(q{SELECT string_agg(format('%s/%s %s %s %s', publisher, model, model_version, format, gpu_count), E'\n'
		ORDER BY model) FROM image_library.model_library WHERE format = 'nim'}),
	"meta/llama-3.1-8b-instruct 1.3.3 nim 1\nnvidia/llama-3.3-nemotron-super-49b-v1 1.8.5 nim 4",
	'the model library says what there is');

# --- which one fits the nodes at hand
is( read_value(q{SELECT string_agg(p.name || ' ' || p.gpu_count, E'\n' ORDER BY p.name COLLATE "C")
		FROM image_library.model_profiles p JOIN image_library.model_library m USING (digest)
		WHERE m.model = 'llama-3.3-nemotron-super-49b-v1'}),
	"4 x l40s 4", 'no label of the large one says so: what the vendor publishes is shipped');
is( read_value(q{SELECT task, facts_from ->> 'task', facts_from ->> 'gpu_count' FROM image_library.model_library
		WHERE model = 'llama-3.3-nemotron-super-49b-v1'}),
	'text-generation|shipped|shipped', 'its task as well, and where that comes from');
is(read_value("SELECT image_library.fits('$big', 'l40s', 4), image_library.fits('$big', 'l40s', 2),
	image_library.fits('$big', 'h100', 4) IS NULL, image_library.fits('$nim', 'h100', 1),
	image_library.fits('$nim', 'l40s', 1) IS NULL"),
	't|f|t|t|t', 'what fits: four L40S, not two; not known for a GPU that is not named, or how much memory a generic profile needs');

# --- KServe: a runtime and a service that name each other
my $runtime = manifest("kserve_serving_runtime('$nim', image_pull_secrets => '{edb-cred}')");
my $service = manifest("kserve_inference_service('$nim', namespace => 'models')");
my ($digest) = $pushed->{'nim/meta/llama-3.1-8b-instruct:1.3.3'};
is($runtime->{kind}, 'ClusterServingRuntime', 'without a namespace the runtime is the cluster\'s');
is($runtime->{spec}{containers}[0]{image}, "$nim\@$digest", 'it runs the digest that was pushed');
is($service->{kind}, 'InferenceService', 'a service');
is($service->{metadata}{namespace}, 'models', 'in its namespace');
like($service->{metadata}{name}, qr/^[a-z]([-a-z0-9]*[a-z0-9])?$/, 'its name is valid, dots are dashes');
is($service->{spec}{predictor}{model}{runtime}, $runtime->{metadata}{name}, 'the service names the runtime');
is($service->{spec}{predictor}{model}{modelFormat}{name}, $runtime->{spec}{supportedModelFormats}[0]{name},
	'and its format');
is($service->{spec}{predictor}{model}{resources}{limits}{'nvidia.com/gpu'}, '1', 'with the GPUs it needs');
is(manifest("kserve_inference_service('$big')")->{spec}{predictor}{model}{resources}{limits}{'nvidia.com/gpu'},
	'4', 'four for the large one');

# --- NVIDIA's operator, and a model without a server
my $nim_service = manifest("nim_service('$nim', namespace => 'nim')");
is($nim_service->{kind}, 'NIMService', 'a NIMService');
is(join(':', @{ $nim_service->{spec}{image} }{qw(repository tag)}), "$nim\@$digest", 'pinned through its tag');
is($nim_service->{spec}{storage}{nimCache}{name}, manifest("nim_cache('$nim', gpu => 'h100')")->{metadata}{name},
	'and the cache of its digest');
my $predictor = manifest("kserve_inference_service('$pack', model_format => 'huggingface')")->{spec}{predictor};
my $pack_digest = $pushed->{'models/qwen2.5-7b-instruct:1.0.0'};
is_deeply([ map { $_->{image}{reference} } @{ $predictor->{volumes} } ], ["$pack\@$pack_digest"],
	'a ModelPack is mounted whole, by digest');
is_deeply([ map { @$_{qw(name mountPath)} } @{ $predictor->{model}{volumeMounts} } ], [ $predictor->{volumes}[0]{name}, '/mnt/models' ],
	'where KServe has models');
ok(!exists $predictor->{model}{storageUri} && exists $predictor->{model}{storage}, 'and KServe looks for no other');
like(read_error("SELECT image_library.kserve_inference_service('$pack', storage => 'oci')"), qr/ERROR: .*cannot be read.*HINT: /s,
	'it is no image with a folder of models');

# --- what this site always sets, and what it may not set
my $own = '{"metadata": {"labels": {"team": "search"}}, "spec": {"predictor": {"serviceAccountName": "models"}}}';
my $labelled = manifest("kserve_inference_service('$nim', overrides => '$own')");
is($labelled->{metadata}{labels}{team} . $labelled->{spec}{predictor}{serviceAccountName}, 'searchmodels', 'overrides are merged in');
my $evil = '{"spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "docker.io/evil/evil"}]}}}';
like(read_error("SELECT image_library.kserve_inference_service('$nim', overrides => '$evil')"), qr/may not change "spec\.predictor\.containers"/,
	'and bring no other image');
like(read_error("SELECT image_library.nim_service('$pack')"), qr/ERROR: .*NIM.*HINT: /s, 'it is no NIM, and what would do');
like(read_error("SELECT image_library.kserve_inference_service('$nim', name => E'a\\n---\\nb')"), qr/ERROR: /,
	'a name is no YAML');

# --- an equal library gives equal bytes
my $bytes = q{SELECT string_agg(image_library.kserve_inference_service(reference)::text
	|| image_library.kserve_serving_runtime(reference)::text, E'\n' ORDER BY reference)
	FROM image_library.model_library WHERE format = 'nim'};
my $before = read_value($bytes);
$node->value(q{CALL image_library.sync('local'); SELECT image_library.reclassify()});
is(read_value($bytes), $before, 'a sync of an unchanged registry changes no byte of the manifests');

# --- the tag moves upstream: what was not looked at is not served
$registry->push_samples('--move', 'nim/meta/llama-3.1-8b-instruct', '1.3.3');
$node->value(q{CALL image_library.sync('local')});
like(read_error("SELECT image_library.kserve_serving_runtime('$nim')"), qr/pending/, 'a moved tag waits for its approval');
$node->value("SELECT image_library.approve('$nim', 'evaluated again')");
my $moved = manifest("kserve_serving_runtime('$nim')")->{spec}{containers}[0]{image};
like($moved, qr/^\Q$nim\E\@sha256:[0-9a-f]{64}$/, 'approved, it is served again');
isnt($moved, "$nim\@$digest", 'by its new digest');
$node->value("SELECT image_library.revoke('$nim', 'unsafe answers')");
like(read_error("SELECT image_library.kserve_inference_service('$nim')"), qr/revoked.*unsafe answers/s,
	'a revoked model is not served, and why');

$node->stop;
$registry->stop;
done_testing();
