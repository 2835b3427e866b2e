import * as z from 'zod';
import { durationSchema, nameSchema, timeSchema } from './common.ts';

interface PermissionFields {
  readonly vhost: string;
  readonly configure: string[];
  readonly write: string[];
  readonly read: string[];
}

interface Rights {
  readonly admin?: boolean | undefined;
  readonly permissions?: PermissionFields[] | undefined;
}

/** What the library demands of its names: no control characters, no outer spaces. */
// oxlint-disable-next-line no-control-regex -- control characters are just what a name must not hold
const PLAIN = /^(?!\s)[^\u0000-\u001f\u007f]*(?<!\s)$/;
const BYTES_MAX = 255;

const plainNameSchema = nameSchema
  .regex(PLAIN, 'it must have no control characters and no outer spaces')
  .refine((name) => name.isWellFormed() && Buffer.byteLength(name) <= BYTES_MAX, {
    error: `it must be at most ${BYTES_MAX} bytes of UTF-8`,
  });

/** A colon would end it in HTTP Basic. */
const userNameSchema = plainNameSchema
  .regex(/^[^:]*$/, 'it must have no colon')
  .describe('1 to 255 bytes of UTF-8 without colons, control characters and outer spaces.');

export const userParams: z.ZodObject<{ user: z.ZodString }> = z.strictObject({
  user: userNameSchema,
});
export const tokenParams: z.ZodObject<{ token: z.ZodString }> = z.strictObject({
  token: plainNameSchema,
});
export const vhostParams: z.ZodObject<{ name: z.ZodString }> = z.strictObject({
  name: plainNameSchema,
});

const patternsSchema = z.array(z.string().min(1).max(BYTES_MAX)).max(100);

/** Of what is answered; what is asked for may leave fields out. */
const permissionSchema = z
  .strictObject({
    vhost: z.string(),
    configure: patternsSchema.describe('Names that may be created, changed and deleted.'),
    write: patternsSchema.describe('Names that may be sent to.'),
    read: patternsSchema.describe('Names that may be received from and looked at.'),
  })
  .meta({ id: 'Permission', description: '`*` in a pattern stands for any run of characters.' });

const permissionsInputSchema = z
  .array(
    z.strictObject({
      vhost: plainNameSchema.default('/'),
      configure: patternsSchema.default([]),
      write: patternsSchema.default([]),
      read: patternsSchema.default([]),
    }),
  )
  .max(100)
  .describe('What may be done where; `*` in a name stands for any run of characters.');

const adminSchema = z.boolean().describe('May do everything, everywhere.');

export const userInputSchema: z.ZodType<
  Rights & { readonly password?: string | undefined; readonly passwordHash?: string | undefined }
> = z
  .strictObject({
    password: z.string().optional().describe('8 to 1,024 characters; a new user needs one.'),
    passwordHash: z
      .string()
      .max(512)
      .optional()
      .describe('Instead of the password: `$scrypt$ln=17,r=8,p=1$SALT$HASH`.'),
    admin: adminSchema.optional(),
    permissions: permissionsInputSchema.optional(),
  })
  .refine(({ password, passwordHash }) => password === undefined || passwordHash === undefined, {
    error: 'it has both password and passwordHash; give one',
  })
  .meta({ id: 'UserInput', description: 'What is left out of a user that exists stays as it is.' });

const accountShape = {
  name: z.string(),
  admin: adminSchema,
  permissions: z.array(permissionSchema),
  createdAt: timeSchema.nullable(),
  source: z.enum(['store', 'config']).describe('config: it is changed in the configuration only.'),
};

export const userSchema: z.ZodType = z.strictObject(accountShape).meta({ id: 'User' });

const tokenShape = {
  ...accountShape,
  lastFour: z.string().nullable().describe('The end of the secret, to tell tokens apart.'),
  expiresAt: timeSchema.nullable().describe('null: never.'),
};

export const tokenSchema: z.ZodType = z.strictObject(tokenShape).meta({ id: 'Token' });

export const newTokenSchema: z.ZodType = z
  .strictObject({
    ...tokenShape,
    secret: z.string().describe('Shown now and never again: `Authorization: Bearer SECRET`.'),
  })
  .meta({ id: 'NewToken' });

export const tokenInputSchema: z.ZodType<
  Rights & { readonly name: string; readonly expiresIn?: number | string | null | undefined }
> = z
  .strictObject({
    name: plainNameSchema,
    admin: adminSchema.optional(),
    permissions: permissionsInputSchema.optional(),
    expiresIn: durationSchema
      .nullable()
      .optional()
      .describe('Until it is worth nothing; null: never.'),
  })
  .meta({ id: 'TokenInput' });

export const vhostSchema: z.ZodType = z
  .strictObject({
    name: z.string(),
    description: z.string(),
    createdAt: timeSchema.nullable(),
    queues: z.int(),
    ready: z.int(),
    scheduled: z.int(),
    leased: z.int(),
  })
  .meta({ id: 'Vhost', description: 'A virtual host, and the messages in it.' });

export const vhostInputSchema: z.ZodType<{ readonly description?: string | undefined }> = z
  .strictObject({ description: z.string().max(1_000).optional() })
  .meta({ id: 'VhostInput' });

export const loginSchema: z.ZodType<{ readonly user: string; readonly password: string }> = z
  .strictObject({ user: z.string().min(1).max(BYTES_MAX), password: z.string().max(1_024) })
  .meta({ id: 'Login' });

export const sessionSchema: z.ZodType = z
  .strictObject({
    identity: z.strictObject({
      kind: z.enum(['user', 'token', 'anonymous']),
      name: z.string(),
      admin: adminSchema,
      permissions: z.array(permissionSchema),
    }),
    csrfToken: z
      .string()
      .nullable()
      .describe('For the header X-Wherry-CSRF of whatever is not a GET; null: none is needed.'),
    expiresAt: timeSchema.nullable().describe('When the session ends; null: there is none.'),
  })
  .meta({ id: 'Session' });
