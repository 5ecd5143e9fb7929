// An issuer that nobody here wrote (npm oidc-provider, OpenID-certified), with people, clients and keys for one test.
// node foreign.mjs CONFIG: {library, port, tls, keys, client: {id, secret}, callback, groups}
import fs from 'node:fs'
import https from 'node:https'

const config = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const { Provider } = await import(config.library)
const pem = (name) => fs.readFileSync(`${config.tls}/${name}`)
const issuer = `https://localhost:${config.port}`

const provider = new Provider(issuer, {
  jwks: { keys: config.keys },
  clients: [
    { client_id: 'machine', client_secret: 'machine-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    { client_id: 'stranger', client_secret: 'machine-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    { client_id: 'edge', client_secret: 'edge-secret', grant_types: [], redirect_uris: [], response_types: [] },
    {
      client_id: config.client.id, client_secret: config.client.secret, redirect_uris: [config.callback],
      grant_types: ['authorization_code', 'refresh_token'], post_logout_redirect_uris: [],
    },
  ],
  claims: { openid: ['sub', 'groups'] },
  ttl: { IdToken: config.life, AccessToken: config.life },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups: config.groups }) }),
  extraTokenClaims: (_, token) => ({ groups: token.clientId === 'stranger' ? [] : config.groups }),
  issueRefreshToken: () => true,
  cookies: { keys: ['only a test'] },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: '', audience: resource.replace(/^urn:(opaque:)?/, ''), accessTokenTTL: config.life,
        ...(resource.startsWith('urn:opaque:') ? { accessTokenFormat: 'opaque' } : { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
      }),
    },
  },
})
provider.use(async (asked, next) => {
  if (asked.path === '/jwks') console.log('keys')
  if (asked.path === '/token/introspection') console.log('asked')
  await next()
})
https.createServer({ cert: pem('tls.crt'), key: pem('tls.key') }, provider.callback())
  .listen(config.port, '127.0.0.1', () => console.log('ready'))
