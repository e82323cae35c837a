/** HM tags: which there are, add and drop. */
import { text } from '../listing.js';

export default async function tags(app) {
  app.get('/hm-tags', async (request, reply) => {
    const rows = await request.ask('SELECT * FROM image_library.hm_tags ORDER BY name', []);
    if (request.query.format === 'csv') return reply.csv('hm_tags', ['name', 'color', 'repositories', 'image_tags', 'created_at', 'created_by'], rows);
    return reply.page('hm_tags', { title: 'HM tags', rows });
  });

  app.post('/hm-tags', async (request, reply) => {
    const name = text(request.body.name, 200);
    try {
      if (request.body.action === 'drop') await request.ask('SELECT image_library.drop_hm_tag($1)', [name]);
      else await request.ask('SELECT image_library.add_hm_tag($1, $2)', [name, text(request.body.color, 40) || 'gray']);
      request.say('done', request.body.action === 'drop' ? `HM tag "${name}" dropped.` : `HM tag "${name}" added.`);
    } catch (error) {
      request.sayError(error);
    }
    return reply.goTo('/hm-tags');
  });
}
