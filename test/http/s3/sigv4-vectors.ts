/**
 * Published examples of Signature Version 4: the cases of the AWS SigV4 test suite that an HTTP message of today can
 * carry (its path normalisation is for other services than S3), and the examples of the S3 API reference ("Signature
 * Calculations for the Authorization Header", "Using Query Parameters").
 */
export interface Vector {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  /** Signed headers beside host and x-amz-date, in any order. Repeated lines are joined with commas. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly payloadHash?: string;
  readonly signature: string;
}

const letters = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const header1 = "my-header1";

export const suite = {
  host: "example.amazonaws.com",
  secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  amzDate: "20150830T123600Z",
  scope: { day: "20150830", region: "us-east-1", service: "service" },
  vectors: [
    {
      name: "get-vanilla",
      signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    },
    {
      name: "get-header-key-duplicate",
      headers: { [header1]: "value2,value2,value1" },
      signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    },
    {
      name: "get-header-value-multiline",
      headers: { [header1]: "value1,value2,value3" },
      signature: "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790",
    },
    {
      name: "get-header-value-order",
      headers: { [header1]: "value4,value1,value3,value2" },
      signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    },
    {
      name: "get-header-value-trim",
      headers: { [header1]: " value1", "my-header2": ' "a   b   c"' },
      signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    },
    {
      name: "get-unreserved",
      path: `/${letters}`,
      signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    },
    {
      name: "get-utf8",
      path: "/\u1234",
      signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    },
    {
      name: "get-space",
      path: "/example space/",
      signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    },
    {
      name: "get-vanilla-empty-query-key",
      query: "Param1=value1",
      signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    },
    {
      name: "get-vanilla-query-order-key-case",
      query: "Param2=value2&Param1=value1",
      signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    },
    {
      name: "get-vanilla-query-order-key",
      query: "Param1=value2&Param1=Value1",
      signature: "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
    },
    {
      name: "get-vanilla-query-order-value",
      query: "Param1=value2&Param1=value1",
      signature: "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
    },
    {
      name: "get-vanilla-query-unreserved",
      query: `${letters}=${letters}`,
      signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    },
    {
      name: "get-vanilla-utf8-query",
      query: "\u1234=bar",
      signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    },
    {
      name: "post-vanilla",
      method: "POST",
      signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    },
    {
      name: "post-header-key-sort",
      method: "POST",
      headers: { [header1]: "value1" },
      signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    },
    {
      name: "post-header-value-case",
      method: "POST",
      headers: { [header1]: "VALUE1" },
      signature: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    },
    {
      name: "post-vanilla-query",
      method: "POST",
      query: "Param1=value1",
      signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    },
    {
      name: "post-x-www-form-urlencoded",
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      payloadHash: "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
      signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    },
  ] satisfies readonly Vector[],
};

const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

export const s3Examples = {
  host: "examplebucket.s3.amazonaws.com",
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  amzDate: "20130524T000000Z",
  scope: { day: "20130524", region: "us-east-1", service: "s3" },
  vectors: [
    {
      name: "GET object, Range signed",
      path: "/test.txt",
      headers: { range: "bytes=0-9", "x-amz-content-sha256": empty },
      signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    },
    {
      name: "PUT object, dollar sign in the key",
      method: "PUT",
      path: "/test$file.text",
      headers: {
        date: "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
      },
      payloadHash: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    },
    {
      name: "GET bucket lifecycle",
      query: "lifecycle",
      headers: { "x-amz-content-sha256": empty },
      signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    },
    {
      name: "GET bucket, list objects",
      query: "prefix=J&max-keys=2",
      headers: { "x-amz-content-sha256": empty },
      signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    },
  ] satisfies readonly Vector[],
  presignedQuery:
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host",
  presignedSignature: "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  emptyHash: empty,
};
